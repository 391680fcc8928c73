// Line charts of the report: drawn here as SVG, redrawn in the browser by Chart.js (with read-out) where it is present.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fer {

struct ChartPoint {
  double x = 0, y = 0;
  std::optional<double> low, high;  // an interval around y, drawn as a band
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;
};

struct Chart {
  std::string title;
  std::string note;  // what the figure means, one line; may be empty
  std::string x_label;
  bool fraction = false;     // y is a fraction, labelled in percent
  bool from_zero = false;    // the y axis begins at 0
  bool logarithmic = false;  // the y axis, in powers of ten; every y must be positive
  std::vector<ChartSeries> series;
};

// Evenly spaced round numbers that enclose [low, high]: {first, last, step}.
struct Ticks {
  double first = 0, last = 1, step = 1;
};
Ticks round_ticks(double low, double high, int about);

// The page's charts: each call of figure() returns its HTML and keeps what the script needs to redraw it.
class ChartBook {
 public:
  std::string figure(const Chart& chart);
  const nlohmann::json& data() const { return data_; }

 private:
  nlohmann::json data_ = nlohmann::json::array();
};

}  // namespace fer
