#include "analysis/cost_figures.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/chart.h"
#include "analysis/format.h"
#include "analysis/html.h"

namespace fer::cost_page {

using nlohmann::json;

const std::string_view figure_style = R"css(
.phase-forward { fill: var(--series-1); } .phase-backward { fill: var(--series-2); }
.phase-update { fill: var(--series-3); } .phase-attack { fill: var(--series-4); }
.phase-workspace { fill: var(--muted); }
.map rect { stroke: var(--surface); stroke-width: .2; }
.map rect:hover, .roofline circle:hover, .columns rect:hover { fill: var(--ink); fill-opacity: 1; }
.roofline circle { fill-opacity: .5; }
.roof { fill: none; stroke: var(--ink); stroke-width: 2; }
.limit { stroke: var(--wrong); stroke-width: 1.5; stroke-dasharray: 6 4; }
.wide { overflow-x: auto; } .wide svg { min-width: 44rem; }
.legend svg.swatch { width: 12px; height: 12px; }
.layers { font-size: .82rem; }
.layers .bar { width: 5rem; }
)css";

namespace {

constexpr double width = 1040, left = 76, right = 24, top = 12, bottom = 42;

std::string number(double value) { return format::fixed(value, 2); }

std::string svg(const char* kind, double height, const std::string& label, const std::string& body) {
  return std::string("<div class=\"plot wide\"><svg class=\"") + kind + "\" viewBox=\"0 0 " + number(width) + " " +
         number(height) + "\" role=\"img\" aria-label=\"" + html::escape(label) + "\">" + body + "</svg></div>\n";
}

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + html::escape(text) +
         "</text>";
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + kind + "\" x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" +
         number(x2) + "\" y2=\"" + number(y2) + "\"/>";
}

std::string rectangle(const std::string& phase, double x, double y, double w, double h, const std::string& title) {
  return "<rect class=\"phase-" + phase + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(w) +
         "\" height=\"" + number(h) + "\"><title>" + html::escape(title) + "</title></rect>";
}

std::string name_of(const json& node) {
  const std::string scope = node.at("scope"), operation = node.at("operation");
  return scope.empty() ? operation : scope + " " + operation;
}

// A grid line with its label at the left.
std::string row_line(double y, const std::string& label) {
  return line("grid", left, y, width - right, y) + text_at(left - 8, y + 4, "end", label);
}

// 0.01 -> 1e-2 as "0.01"; for powers of ten.
std::string power_text(int exponent) { return format::compact(std::pow(10, exponent)); }

}  // namespace

double ms_of(const json& node) {
  return node.contains("ms") ? node["ms"].get<double>() : 1e-3 * node.at("roofline_us").get<double>();
}

bool is_measured(const json& layers) { return !layers.empty() && layers.front().contains("ms"); }

double LayerTotal::total_ms() const {
  double sum = 0;
  for (double one : ms) {
    sum += one;
  }
  return sum;
}

std::vector<LayerTotal> totals(const json& layers) {
  std::vector<LayerTotal> result;
  std::map<std::string, size_t> places;
  for (const json& node : layers) {
    std::string name = node.at("scope");
    if (name.empty()) {
      name = node.at("operation");
    }
    const size_t place = places.try_emplace(name, result.size()).first->second;
    if (place == result.size()) {
      result.push_back({name});
    }
    const auto phase = std::find(phases.begin(), phases.end(), node.at("phase").get<std::string>());
    result[place].ms.at(static_cast<size_t>(phase - phases.begin())) += ms_of(node);
    result[place].flops += node.at("flops_done").get<double>();
    result[place].bytes += node.at("bytes").get<double>();
  }
  return result;
}

std::string phase_legend(const json& layers, bool workspace) {
  std::string text = "<ul class=\"legend\">";
  const auto entry = [&](const std::string& phase) {
    text += "<li><svg class=\"swatch\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"phase-" + phase +
            "\" width=\"12\" height=\"12\"/></svg>" + phase + "</li>";
  };
  for (const char* phase : phases) {
    if (std::any_of(layers.begin(), layers.end(), [&](const json& node) { return node.at("phase") == phase; })) {
      entry(phase);
    }
  }
  if (workspace) {
    entry("workspace");
  }
  return text + "</ul>";
}

std::string arena_map(const json& arena, const json& layers, double arena_bytes, double lower_bound_bytes) {
  constexpr double height = 460;
  const double end = static_cast<double>(layers.size()) + 1;
  const auto column = [&](double node) { return left + node / end * (width - left - right); };
  const auto row = [&](double byte) {
    return height - bottom - byte / std::max(arena_bytes, 1.0) * (height - top - bottom);
  };
  std::string body;
  constexpr double unit = 1 << 20;
  const Ticks ticks = round_ticks(0, arena_bytes / unit, 6);
  for (double tick = 0; tick * unit <= arena_bytes; tick += ticks.step) {
    body += row_line(row(tick * unit), format::compact(tick) + " MiB");
  }
  for (const json& place : arena) {
    const auto life = place.at("lifetime").get<std::vector<int>>();
    const auto offset = place.at("offset").get<double>(), bytes = place.at("bytes").get<double>();
    const double first = std::max(life.at(0), 0), last = std::min(life.at(1) + 1.0, end);
    body += rectangle(place.at("phase"), column(first), row(offset + bytes), column(last) - column(first),
                      row(offset) - row(offset + bytes),
                      place.at("name").get<std::string>() + ": " + format::bytes_text(bytes) + " at " +
                          format::grouped(place.at("offset").get<int64_t>()) + ", during nodes " +
                          std::to_string(life.at(0)) + " to " + std::to_string(life.at(1)));
  }
  body += line("limit", left, row(lower_bound_bytes), width - right, row(lower_bound_bytes));
  const Ticks nodes = round_ticks(0, end, 10);
  for (double tick = 0; tick <= end; tick += nodes.step) {
    body += text_at(column(tick), height - bottom + 17, "middle", format::compact(tick));
  }
  body += text_at((left + width - right) / 2, height - 6, "middle", "operations, in the order they run");
  return svg("map", height, "The arena: address against time", body);
}

std::string roofline(const json& layers, const MachineLimits& limits) {
  constexpr double height = 470;
  struct Dot {
    double intensity, rate, ms;
    const json* node;
  };
  std::vector<Dot> dots;
  const double ridge = limits.flops_per_second / limits.bytes_per_second;
  double x_low = ridge, x_high = ridge, y_low = limits.flops_per_second, y_high = limits.flops_per_second, all_ms = 0;
  for (const json& node : layers) {
    const auto flops = node.at("flops_done").get<double>(), bytes = node.at("bytes").get<double>();
    const double ms = ms_of(node);
    all_ms += ms;
    if (flops > 0 && bytes > 0 && ms > 0) {
      dots.push_back({flops / bytes, flops / (1e-3 * ms), ms, &node});
      x_low = std::min(x_low, flops / bytes), x_high = std::max(x_high, flops / bytes);
      y_low = std::min(y_low, dots.back().rate), y_high = std::max(y_high, dots.back().rate);
    }
  }
  const double from_x = std::floor(std::log10(x_low)), to_x = std::ceil(std::log10(x_high) + 0.05);
  const double from_y = std::floor(std::log10(y_low)), to_y = std::ceil(std::log10(y_high) + 0.05);
  const auto column = [&](double x) {
    return left + (std::log10(x) - from_x) / (to_x - from_x) * (width - left - right);
  };
  const auto row = [&](double y) {
    return height - bottom - (std::log10(y) - from_y) / (to_y - from_y) * (height - top - bottom);
  };
  std::string body;
  for (double power = from_y; power <= to_y; ++power) {
    body += row_line(row(std::pow(10, power)), power_text(static_cast<int>(power) - 9));
  }
  for (double power = from_x; power <= to_x; ++power) {
    const double x = column(std::pow(10, power));
    body += line("grid", x, top, x, height - bottom) +
            text_at(x, height - bottom + 17, "middle", power_text(static_cast<int>(power)));
  }
  // The slope of the roof begins where it enters the figure: at the left or at the bottom.
  const double begin = std::max(std::pow(10, from_x), std::pow(10, from_y) / limits.bytes_per_second);
  body += "<polyline class=\"roof\" points=\"" + number(column(begin)) + "," +
          number(row(begin * limits.bytes_per_second)) + " " + number(column(ridge)) + "," +
          number(row(limits.flops_per_second)) + " " + number(width - right) + "," +
          number(row(limits.flops_per_second)) + "\"/>";
  std::stable_sort(dots.begin(), dots.end(), [](const Dot& a, const Dot& b) { return a.ms > b.ms; });
  for (const Dot& dot : dots) {
    const double radius = std::max(2.0, 40 * std::sqrt(dot.ms / all_ms));
    body += "<circle class=\"phase-" + dot.node->at("phase").get<std::string>() + "\" cx=\"" +
            number(column(dot.intensity)) + "\" cy=\"" + number(row(dot.rate)) + "\" r=\"" + number(radius) +
            "\"><title>" +
            html::escape(name_of(*dot.node) + ": " + format::compact(dot.rate / 1e9) + " GFLOP/s, " +
                         format::compact(dot.intensity) + " FLOPs a byte, " + format::compact(dot.ms) + " ms") +
            "</title></circle>";
  }
  body += text_at((left + width - right) / 2, height - 6, "middle", "FLOPs a byte moved") +
          text_at(left + 8, top + 12, "start", "GFLOP/s");
  return svg("roofline", height, "The roofline and every operation", body);
}

std::string time_columns(const std::vector<LayerTotal>& layers) {
  constexpr double height = 250;
  double most = 0;
  for (const LayerTotal& layer : layers) {
    most = std::max(most, layer.total_ms());
  }
  const Ticks ticks = round_ticks(0, most, 4);
  const double step = (width - left - right) / std::max<double>(1, static_cast<double>(layers.size()));
  const auto row = [&](double ms) { return height - bottom - ms / ticks.last * (height - top - bottom); };
  std::string body;
  for (double tick = 0; tick <= ticks.last + ticks.step / 2; tick += ticks.step) {
    body += row_line(row(tick), format::compact(tick) + " ms");
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const double x = left + static_cast<double>(i) * step;
    double below = 0;
    for (size_t phase = 0; phase < phases.size(); ++phase) {
      const double ms = layers[i].ms[phase];
      if (ms > 0) {
        body += rectangle(phases[phase], x, row(below + ms), 0.9 * step, row(below) - row(below + ms),
                          layers[i].name + ", " + phases[phase] + ": " + format::compact(ms) + " ms");
        below += ms;
      }
    }
  }
  body += text_at((left + width - right) / 2, height - 10, "middle", "layers, in the order they run first");
  return svg("columns", height, "Time by layer", body);
}

}  // namespace fer::cost_page
