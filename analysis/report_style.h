// What a report looks like and how its charts answer the pointer: text that goes into every page.
#pragma once

#include <string_view>

namespace fer::report {

extern const std::string_view style_sheet;

// Redraws each chart of #chart-data with Chart.js; does nothing where that is absent.
extern const std::string_view chart_script;

}  // namespace fer::report
