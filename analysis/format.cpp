#include "analysis/format.h"

#include <cmath>
#include <cstdio>

namespace fer::format {

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string compact(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string percent(double fraction) { return fixed(100 * fraction, 1) + "%"; }

std::string percent_range(const Interval& interval) {
  return fixed(100 * interval.low, 1) + "–" + fixed(100 * interval.high, 1) + "%";
}

std::string points(double difference) {
  const std::string size = fixed(100 * std::abs(difference), 1);
  const char* sign = size == "0.0" ? "±" : difference > 0 ? "+" : "−";
  return sign + size + " points";
}

std::string grouped(int64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string bytes_text(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) {
    bytes /= 1024;
  }
  return fixed(bytes, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string duration(double seconds) {
  if (seconds < 1) {
    return fixed(1000 * seconds, seconds < 0.1 ? 1 : 0) + " ms";
  }
  if (seconds < 60) {
    return fixed(seconds, 1) + " s";
  }
  const int64_t whole = std::llround(seconds);
  const auto two_digits = [](int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + two_digits(whole % 60) + " s";
  }
  return grouped(whole / 3600) + " h " + two_digits(whole / 60 % 60) + " min";
}

std::string eps_text(double eps) {
  const double levels = 255 * eps;
  // Decimal budgets such as 0.2 are whole grey levels by accident (51/255) and stay as they were typed. The slack is
  // the rounding of pixels kept in f32.
  const bool decimal = std::abs(eps * 1000 - std::round(eps * 1000)) < 1e-3;
  if (!decimal && levels >= 0.5 && std::abs(levels - std::round(levels)) < 1e-3) {
    return std::to_string(std::llround(levels)) + "/255";
  }
  return compact(eps);
}

}  // namespace fer::format
