#include "analysis/chart.h"

#include <algorithm>
#include <cmath>

#include "analysis/format.h"
#include "analysis/html.h"

namespace fer {

namespace {

constexpr double width = 380, height = 230, left = 52, right = 14, top = 10, bottom = 38;
constexpr int colours = 6;  // --series-1 … --series-6 of the style sheet

std::string number(double value) { return format::fixed(value, 1); }

// "line line-2": colour and dash pattern of series `index`.
std::string line_class(size_t index) { return "line line-" + std::to_string(index % colours + 1); }

// The axes of a chart and where a value stands on them.
class Axes {
 public:
  explicit Axes(const Chart& chart) : chart_(chart) {
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    for (const ChartSeries& series : chart.series) {
      for (const ChartPoint& point : series.points) {
        x_low = std::min(x_low, point.x), x_high = std::max(x_high, point.x);
        y_low = std::min(y_low, point.low.value_or(point.y)), y_high = std::max(y_high, point.high.value_or(point.y));
      }
    }
    x_ = round_ticks(x_low, x_high, 6);
    // Curves use the full width: the axis ends at the data, not at the next round number.
    x_low_ = x_low, x_high_ = x_high > x_low ? x_high : x_low + 1;
    if (chart.logarithmic) {
      y_ = {std::floor(std::log10(y_low) + 1e-9), std::ceil(std::log10(y_high) - 1e-9), 1};
      y_.last = std::max(y_.last, y_.first + 1);
    } else {
      y_ = round_ticks(chart.from_zero ? std::min(0.0, y_low) : y_low, y_high, 4);
    }
  }

  double column(double x) const { return left + (x - x_low_) / (x_high_ - x_low_) * (width - left - right); }
  double row(double y) const {
    const double value = chart_.logarithmic ? std::log10(y) : y;
    return height - bottom - (value - y_.first) / (y_.last - y_.first) * (height - top - bottom);
  }

  std::string svg() const {
    std::string text;
    for (double tick = y_.first; tick <= y_.last + y_.step / 2; tick += y_.step) {
      const double value = chart_.logarithmic ? std::pow(10, tick) : std::abs(tick) < y_.step / 1e6 ? 0 : tick;
      const std::string y = number(row(value));
      text += "<line class=\"grid\" x1=\"" + number(left) + "\" x2=\"" + number(width - right) + "\" y1=\"" + y +
              "\" y2=\"" + y + "\"/><text x=\"" + number(left - 8) + "\" y=\"" + y +
              "\" dy=\"0.35em\" text-anchor=\"end\">" + y_text(value) + "</text>";
    }
    for (double tick = x_.first; tick <= x_.last + x_.step / 2; tick += x_.step) {
      if (tick < x_low_ - 1e-9 || tick > x_high_ + 1e-9) {
        continue;
      }
      text += "<text x=\"" + number(column(tick)) + "\" y=\"" + number(height - bottom + 17) +
              "\" text-anchor=\"middle\">" + format::compact(std::abs(tick) < x_.step / 1e6 ? 0 : tick) + "</text>";
    }
    return text + "<text x=\"" + number((left + width - right) / 2) + "\" y=\"" + number(height - 4) +
           "\" text-anchor=\"middle\">" + html::escape(chart_.x_label) + "</text>";
  }

  nlohmann::json json() const {
    return {{"xLow", x_low_},
            {"xHigh", x_high_},
            {"xStep", x_.step},
            {"yLow", chart_.logarithmic ? std::pow(10, y_.first) : y_.first},
            {"yHigh", chart_.logarithmic ? std::pow(10, y_.last) : y_.last},
            {"yStep", y_.step}};
  }

 private:
  std::string y_text(double value) const {
    return chart_.fraction ? format::compact(100 * value) + "%" : format::compact(value);
  }

  const Chart& chart_;
  Ticks x_, y_;
  double x_low_ = 0, x_high_ = 1;
};

std::string band_svg(const ChartSeries& series, const Axes& axes, size_t index) {
  std::string high, low;
  for (const ChartPoint& point : series.points) {
    if (point.low && point.high) {
      high += number(axes.column(point.x)) + "," + number(axes.row(*point.high)) + " ";
      low = number(axes.column(point.x)) + "," + number(axes.row(*point.low)) + " " + low;
    }
  }
  return high.empty()
             ? ""
             : "<polygon class=\"band-" + std::to_string(index % colours + 1) + "\" points=\"" + high + low + "\"/>";
}

std::string series_svg(const ChartSeries& series, const Axes& axes, size_t index) {
  std::string points, dots;
  const bool few = series.points.size() <= 12;
  for (const ChartPoint& point : series.points) {
    const std::string x = number(axes.column(point.x)), y = number(axes.row(point.y));
    points += x + "," + y + " ";
    if (few) {
      dots += "<circle class=\"dot-" + std::to_string(index % colours + 1) + "\" cx=\"" + x + "\" cy=\"" + y +
              "\" r=\"3.2\"/>";
    }
  }
  return "<polyline class=\"" + line_class(index) + "\" points=\"" + points + "\"/>" + dots;
}

std::string legend(const Chart& chart) {
  std::string text = "<ul class=\"legend\">";
  for (size_t i = 0; i < chart.series.size(); ++i) {
    text += "<li><svg viewBox=\"0 0 26 8\" aria-hidden=\"true\"><line class=\"" + line_class(i) +
            "\" x1=\"1\" x2=\"25\" y1=\"4\" y2=\"4\"/></svg>" + html::escape(chart.series[i].name) + "</li>";
  }
  return text + "</ul>";
}

// The script's form: points as [x, y, low, high].
nlohmann::json chart_json(const Chart& chart, const Axes& axes) {
  nlohmann::json series = nlohmann::json::array();
  for (const ChartSeries& one : chart.series) {
    nlohmann::json points = nlohmann::json::array();
    bool band = !one.points.empty();
    for (const ChartPoint& point : one.points) {
      band = band && point.low && point.high;
      points.push_back({point.x, point.y, point.low.value_or(point.y), point.high.value_or(point.y)});
    }
    series.push_back({{"name", one.name}, {"points", points}, {"band", band}});
  }
  return {{"x", chart.x_label},
          {"fraction", chart.fraction},
          {"logarithmic", chart.logarithmic},
          {"axes", axes.json()},
          {"series", series}};
}

}  // namespace

Ticks round_ticks(double low, double high, int about) {
  if (!(high > low)) {
    const double margin = low == 0 ? 1 : std::abs(low) / 2;
    low -= margin, high += margin;
  }
  const double rough = (high - low) / about;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double lead = rough / power;
  const double step = power * (lead < 1.5 ? 1 : lead < 3 ? 2 : lead < 7 ? 5 : 10);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

std::string ChartBook::figure(const Chart& chart) {
  const Axes axes(chart);
  std::string text = "<figure class=\"chart\"><figcaption>" + html::escape(chart.title) + "</figcaption>";
  if (!chart.note.empty()) {
    text += "<p class=\"note\">" + html::escape(chart.note) + "</p>";
  }
  if (chart.series.size() > 1) {
    text += legend(chart);
  }
  text += "<div class=\"plot\" data-chart=\"" + std::to_string(data_.size()) + "\"><svg viewBox=\"0 0 " +
          number(width) + " " + number(height) + "\" role=\"img\" aria-label=\"" + html::escape(chart.title) + "\">" +
          axes.svg();
  for (size_t i = 0; i < chart.series.size(); ++i) {
    text += band_svg(chart.series[i], axes, i);
  }
  for (size_t i = 0; i < chart.series.size(); ++i) {
    text += series_svg(chart.series[i], axes, i);
  }
  data_.push_back(chart_json(chart, axes));
  return text + "</svg></div></figure>\n";
}

}  // namespace fer
