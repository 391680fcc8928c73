// Numbers as people read them, the same in the terminal and in the report.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/metrics.h"

namespace fer::format {

std::string percent(double fraction);                 // 0.7134 -> "71.3%"
std::string percent_range(const Interval& interval);  // "69.8–72.8%"
std::string points(double difference);                // 0.123 -> "+12.3 points", with a true minus sign
std::string fixed(double value, int decimals);        // fixed(1.5, 2) -> "1.50"
std::string compact(double value);                    // up to 4 significant digits: "0.0314", "1.25e-06"
std::string grouped(int64_t count);                   // 3504872 -> "3,504,872"
std::string bytes_text(double bytes);                 // "241.3 MiB"
std::string duration(double seconds);                 // "8.2 s", "3 min 20 s", "2 h 05 min"
std::string eps_text(double eps);                     // "0.03", "8/255" where eps is a whole number of grey levels

}  // namespace fer::format
