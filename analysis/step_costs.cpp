#include "analysis/step_costs.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <sstream>
#include <tuple>

namespace fer {

namespace {

// "features.3.conv conv2d"
std::string title_of(const PlannedNode& node) {
  return (node.scope.empty() ? "" : node.scope + " ") + node.operation->name();
}

}  // namespace

Spread spread_of(std::vector<double> samples) {
  if (samples.empty()) {
    fail("spread: there are no samples");
  }
  std::sort(samples.begin(), samples.end());
  const auto quantile = [&](double share) {
    const double at = share * static_cast<double>(samples.size() - 1);
    const auto below = static_cast<size_t>(at);
    const size_t above = std::min(below + 1, samples.size() - 1);
    return samples[below] + (at - static_cast<double>(below)) * (samples[above] - samples[below]);
  };
  return {quantile(0.5), quantile(0.25), quantile(0.75)};
}

Spread scaled(const Spread& figure, double factor) {
  return {factor * figure.value, factor * figure.low, factor * figure.high};
}

void put(nlohmann::json& to, const std::string& key, const Spread& figure) {
  to[key] = figure.value;
  to[key + "_spread"] = {figure.low, figure.high};
}

void NodeTimes::add(std::vector<double> seconds, double whole) {
  const auto place = std::upper_bound(repeats_.begin(), repeats_.end(), whole,
                                      [](double value, const Repeat& repeat) { return value < repeat.whole; });
  repeats_.insert(place, {whole, std::move(seconds)});
}

std::span<const NodeTimes::Repeat> NodeTimes::middle() const {
  if (repeats_.empty()) {
    fail("node times: no step was measured");
  }
  const size_t aside = repeats_.size() / 4;
  return std::span(repeats_).subspan(aside, repeats_.size() - 2 * aside);
}

Spread NodeTimes::of(const std::vector<size_t>& nodes) const {
  Spread result{0, 1e300, 0};
  for (const Repeat& repeat : middle()) {
    double seconds = 0;
    for (size_t node : nodes) {
      seconds += repeat.seconds.at(node);
    }
    result.value += seconds / static_cast<double>(middle().size());
    result.low = std::min(result.low, seconds);
    result.high = std::max(result.high, seconds);
  }
  return result;
}

Spread NodeTimes::of(const Plan& plan, Phase phase) const {
  std::vector<size_t> nodes;
  for (size_t i = 0; i < plan.nodes().size(); ++i) {
    if (plan.nodes()[i].phase == phase) {
      nodes.push_back(i);
    }
  }
  return of(nodes);
}

double NodeTimes::share_of_whole() const {
  std::vector<double> shares;
  for (const Repeat& repeat : repeats_) {
    shares.push_back(std::accumulate(repeat.seconds.begin(), repeat.seconds.end(), 0.0) / repeat.whole);
  }
  return spread_of(shares).value;
}

void put_rates(nlohmann::json& to, const Cost& cost, const Spread& seconds, const MachineLimits& limits) {
  put(to, "ms", scaled(seconds, 1e3));
  if (seconds.value > 0) {
    const double flops = static_cast<double>(cost.flops) / seconds.value;
    const double bytes = static_cast<double>(cost.bytes) / seconds.value;
    to["gflops"] = flops / 1e9;
    to["gbs"] = bytes / 1e9;
    to["fraction_of_peak"] = static_cast<double>(cost.done_flops()) / seconds.value / limits.flops_per_second;
    to["fraction_of_bandwidth"] = bytes / limits.bytes_per_second;
  }
}

std::string name_of(Phase phase) {
  constexpr const char* names[] = {"forward", "backward", "update", "attack"};
  return names[static_cast<int>(phase)];
}

nlohmann::json layers_json(const Plan& plan, const MachineLimits& limits, const NodeTimes* times, int64_t parts) {
  nlohmann::json layers = nlohmann::json::array();
  for (size_t i = 0; i < plan.nodes().size(); ++i) {
    const PlannedNode& node = plan.nodes()[i];
    const PlannedValue& output = plan.values()[static_cast<size_t>(node.outputs[0])];
    const Cost cost = parts * node.cost;
    int64_t output_bytes = 0;
    for (int value : node.outputs) {
      output_bytes += plan.values()[static_cast<size_t>(value)].type.bytes();
    }
    nlohmann::json layer = {
        {"node", i},
        {"scope", node.scope},
        {"operation", node.operation->name()},
        {"phase", name_of(node.phase)},
        {"shape", std::vector<int64_t>(output.type.shape.extents().begin(), output.type.shape.extents().end())},
        {"flops", cost.flops},
        {"flops_done", cost.done_flops()},
        {"bytes", cost.bytes},
        {"workspace_bytes", node.kernel.workspace_bytes},
        {"algorithm", node.kernel.algorithm},
        {"output_bytes", output_bytes},
        {"offset", output.offset},
        {"lifetime", {output.first, output.last}},
        {"roofline_us", 1e6 * limits.least_seconds(cost)}};
    if (times != nullptr) {
      put_rates(layer, cost, times->of({i}), limits);
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

nlohmann::json operations_json(const Plan& plan, const MachineLimits& limits, const NodeTimes& times) {
  const auto types_of = [&](const std::vector<int>& values) {
    std::vector<std::string> types;
    for (int value : values) {
      std::ostringstream text;
      text << plan.values()[static_cast<size_t>(value)].type;
      types.push_back(text.str());
    }
    return types;
  };
  using Kind = std::tuple<std::string, std::vector<std::string>, std::vector<std::string>, std::string>;
  std::map<Kind, std::vector<size_t>> kinds;
  for (size_t i = 0; i < plan.nodes().size(); ++i) {
    const PlannedNode& node = plan.nodes()[i];
    if (node.kernel.run) {
      kinds[{node.operation->name(), types_of(node.inputs), types_of(node.outputs), node.kernel.algorithm}].push_back(
          i);
    }
  }
  std::vector<nlohmann::json> rows;
  for (const auto& [kind, nodes] : kinds) {
    const PlannedNode& node = plan.nodes()[nodes[0]];
    const auto& [operation, inputs, outputs, algorithm] = kind;
    const Spread all = times.of(nodes);
    nlohmann::json row = {{"operation", operation},
                          {"inputs", inputs},
                          {"outputs", outputs},
                          {"algorithm", algorithm},
                          {"count", nodes.size()},
                          {"flops", node.cost.flops},
                          {"flops_done", node.cost.done_flops()},
                          {"bytes", node.cost.bytes},
                          {"workspace_bytes", node.kernel.workspace_bytes},
                          {"roofline_us", 1e6 * limits.least_seconds(node.cost)},
                          {"total_ms", 1e3 * all.value}};
    put_rates(row, node.cost, scaled(all, 1 / static_cast<double>(nodes.size())), limits);
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a["total_ms"] > b["total_ms"]; });
  return rows;
}

nlohmann::json arena_json(const Plan& plan) {
  struct Place {
    std::vector<std::string> names;
    Phase phase;
    int64_t bytes;
  };
  std::map<std::tuple<int, int64_t, int>, Place> places;  // by first node, offset and last node
  const auto take = [&](int id, const std::string& name, Phase phase) {
    const PlannedValue& value = plan.values()[static_cast<size_t>(id)];
    if (value.offset >= 0 && value.type.bytes() > 0) {
      Place& place = places.try_emplace({value.first, value.offset, value.last}, Place{{}, phase, 0}).first->second;
      place.names.push_back(name);
      place.bytes = std::max(place.bytes, value.type.bytes());
    }
  };
  for (size_t i = 0; i < plan.values().size(); ++i) {
    if (plan.values()[i].kind == ValueKind::input) {
      take(static_cast<int>(i), plan.values()[i].name, Phase::forward);
    }
  }
  nlohmann::json arena = nlohmann::json::array();
  for (size_t i = 0; i < plan.nodes().size(); ++i) {
    const PlannedNode& node = plan.nodes()[i];
    for (int output : node.outputs) {
      take(output, title_of(node), node.phase);
    }
    if (node.kernel.workspace_bytes > 0) {
      arena.push_back({{"name", "workspace of " + title_of(node)},
                       {"phase", "workspace"},
                       {"offset", node.workspace_offset},
                       {"bytes", node.kernel.workspace_bytes},
                       {"lifetime", {i, i}}});
    }
  }
  for (const auto& [where, place] : places) {
    const auto& [first, offset, last] = where;
    std::string name = place.names.front();
    if (place.names.size() > 1) {
      name += ", then " + place.names.back();
    }
    arena.push_back({{"name", name},
                     {"phase", name_of(place.phase)},
                     {"offset", offset},
                     {"bytes", place.bytes},
                     {"lifetime", {first, last}}});
  }
  return arena;
}

}  // namespace fer
