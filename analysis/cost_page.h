// The page of a step's cost: time, arithmetic and memory, layer by layer. One self-contained file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "analysis/machine.h"

namespace fer {

// `result` is what `fer plan --json` or `fer bench step --layers --json` prints, `limits` the machine's. Times are the
// roofline's where nothing was measured, and the page says so.
std::string render_cost_page(const nlohmann::json& result, const MachineLimits& limits);

}  // namespace fer
