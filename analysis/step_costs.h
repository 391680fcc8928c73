// What every operation of a planned step costs: arithmetic, bytes, its place in memory and, where it ran, its time.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "analysis/machine.h"
#include "autograd/plan.h"

namespace fer {

// A figure that was measured several times.
struct Spread {
  double value = 0;
  double low = 0, high = 0;
};

// Median and quartiles. Throws when there is nothing to take them of.
Spread spread_of(std::vector<double> samples);

Spread scaled(const Spread& figure, double factor);

// to[key] = value, to[key + "_spread"] = [low, high].
void put(nlohmann::json& to, const std::string& key, const Spread& figure);

// Times of a plan's nodes in repeats of its step.
class NodeTimes {
 public:
  // One repeat: what Executor::run says of its nodes, and how long all of it took.
  void add(std::vector<double> seconds, double whole);

  // Seconds of these nodes together: the mean over the half of the repeats whose whole is in the middle, and the
  // shortest and longest of them. Means over one set of repeats add up: those of all nodes to the step's time.
  Spread of(const std::vector<size_t>& nodes) const;
  Spread of(const Plan& plan, Phase phase) const;
  // The nodes' share of the whole: the median of the repeats. What is missing is feeding, reading and the clock.
  double share_of_whole() const;

 private:
  struct Repeat {
    double whole;
    std::vector<double> seconds;
  };
  std::span<const Repeat> middle() const;

  std::vector<Repeat> repeats_;  // in the order of `whole`
};

// A time of a cost as figures: adds ms and its spread, gflops, gbs, fraction_of_peak and fraction_of_bandwidth. The
// rates of what took no time are left out.
void put_rates(nlohmann::json& to, const Cost& cost, const Spread& seconds, const MachineLimits& limits);

std::string name_of(Phase phase);

// An object for each node, in the order they run: node, scope, operation, phase, shape (of its first output), flops,
// bytes (moved), workspace_bytes, algorithm (of a library; may be empty), output_bytes, offset, lifetime (nodes, -1:
// before the first), roofline_us; with `times` what put_rates() adds. Where so many `parts` of a batch are run at once,
// each by this plan, flops and bytes are of all of them; shapes and memory are of one.
nlohmann::json layers_json(const Plan& plan, const MachineLimits& limits, const NodeTimes* times = nullptr,
                           int64_t parts = 1);

// An object for each operation with its types, however often the plan has it, the longest first: operation, inputs and
// outputs (types), algorithm, count, workspace_bytes, total_ms; flops, bytes, roofline_us and what put_rates() adds of
// one of them.
nlohmann::json operations_json(const Plan& plan, const MachineLimits& limits, const NodeTimes& times);

// An object for each place of the arena, as long as it is taken: name, phase, offset, bytes, lifetime. Values that
// stand in one place (reshaped, or written over their input) are one object; a kernel's workspace is one too.
nlohmann::json arena_json(const Plan& plan);

}  // namespace fer
