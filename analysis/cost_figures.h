// The pictures of the page of a step's cost, as SVG. `layers` and `arena` are what step_costs.h makes.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "analysis/machine.h"

namespace fer::cost_page {

constexpr std::array phases{"forward", "backward", "update", "attack"};

// Milliseconds of a node: measured, or the roofline's where nothing ran.
double ms_of(const nlohmann::json& node);
bool is_measured(const nlohmann::json& layers);

// All nodes of one scope of the model (of one operation, where there is no scope).
struct LayerTotal {
  std::string name;
  std::array<double, phases.size()> ms{};
  double flops = 0, bytes = 0;

  double total_ms() const;
};

// In the order in which the layers run first.
std::vector<LayerTotal> totals(const nlohmann::json& layers);

// Address against time: a rectangle for each place of the arena while it is taken. Time is counted in nodes.
std::string arena_map(const nlohmann::json& arena, const nlohmann::json& layers, double arena_bytes,
                      double lower_bound_bytes);

// FLOP/s against FLOPs a byte, both logarithmic, under the roof of `limits`: a dot a node, its area the node's time.
// Nodes without arithmetic have no place on it.
std::string roofline(const nlohmann::json& layers, const MachineLimits& limits);

// A column a layer, stacked by phase.
std::string time_columns(const std::vector<LayerTotal>& layers);

// What colour stands for which phase; with `workspace` for that too.
std::string phase_legend(const nlohmann::json& layers, bool workspace);

// The figures' part of the style sheet.
extern const std::string_view figure_style;

}  // namespace fer::cost_page
