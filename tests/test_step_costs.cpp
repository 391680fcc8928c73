// What a step costs, node by node: times that add up, the arena as a map, the page.
#include <doctest/doctest.h>

#include "analysis/cost_page.h"
#include "analysis/single_operation.h"
#include "analysis/step_costs.h"
#include "autograd/ops.h"
#include "tests/device.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

// conv, relu and a reshape, with the weight's gradient: workspace, values in place, views.
class SmallStep {
 public:
  explicit SmallStep(const std::string& scope = "block.0") {
    const Value x = graph_.input("images", DType::f32, {2, 9, 9, 16});
    const Value w = graph_.input("weight", DType::f32, {24, 3, 3, 16});
    const Restore named(graph_.scope, scope);
    const Value y = relu(conv2d(x, w, std::nullopt, {.padding = symmetric_padding(1)}));
    const Value loss = sum(multiply(flatten(y), flatten(y)));
    const Value wrt[] = {w};
    outputs_ = {loss, gradients(loss, wrt)[0]};
  }

  Plan plan() const { return make_plan(graph_, outputs_); }

  nlohmann::json result(const MachineLimits& limits, const NodeTimes* times) const {
    const Plan plan = this->plan();
    nlohmann::json json = {{"model", "<small>"},
                           {"batch", 2},
                           {"flops_per_step", plan.total_cost().flops},
                           {"flops_done_per_step", plan.total_cost().done_flops()},
                           {"planned_peak_bytes", plan.peak_bytes()},
                           {"arena_bytes", plan.peak_bytes()},
                           {"lower_bound_bytes", plan.lower_bound_bytes()},
                           {"roofline_ms", 1.5},
                           {"layers", layers_json(plan, limits, times)},
                           {"arena", arena_json(plan)}};
    if (times != nullptr) {
      put(json, "median_ms", {2, 1, 3});
      json["images_per_s"] = 1000;
      json["flop_rate_fraction_of_peak"] = 0.25;
    }
    return json;
  }

 private:
  Graph graph_;
  std::vector<Value> outputs_;
};

constexpr MachineLimits limits{1e11, 1e10};

NodeTimes made_up_times(size_t nodes) {
  NodeTimes times;
  for (const double whole : {9.0, 1.0, 2.0, 4.0, 3.0, 0.5, 70.0, 2.5}) {
    std::vector<double> seconds(nodes, 1e-3 * whole / static_cast<double>(nodes));
    seconds[0] *= 0.5;
    times.add(seconds, 1e-3 * whole);
  }
  return times;
}

}  // namespace

TEST_CASE("spread: median and quartiles") {
  const Spread odd = spread_of({5, 1, 4, 2, 3});
  CHECK(odd.value == 3);
  CHECK(odd.low == 2);
  CHECK(odd.high == 4);
  CHECK(spread_of({1, 2}).value == 1.5);
  const Spread one = spread_of({7});
  CHECK(one.low == 7);
  CHECK(one.high == 7);
  CHECK_THROWS_AS(spread_of({}), Error);
}

TEST_CASE("node times: means over the middle half of the repeats, which add up") {
  NodeTimes times;
  CHECK_THROWS_WITH_AS(times.of({0}), "node times: no step was measured", Error);
  times.add({6, 3}, 10);
  times.add({1, 2}, 4);
  times.add({2, 1}, 3.5);
  times.add({90, 9}, 100);
  CHECK(times.of({0}).value == 3.5);  // of the second and the first
  CHECK(times.of({0}).low == 1);
  CHECK(times.of({0}).high == 6);
  CHECK(times.of({1}).value == 2.5);
  CHECK(times.of({0, 1}).value == 6);
  CHECK(times.of({0, 1}).low == 3);
  CHECK(times.share_of_whole() == doctest::Approx((0.9 + 3 / 3.5) / 2));
}

TEST_CASE("layers: rates beside the machine's") {
  const SmallStep step;
  const Plan plan = step.plan();
  const NodeTimes times = made_up_times(plan.nodes().size());
  const nlohmann::json layers = layers_json(plan, limits, &times);
  REQUIRE(layers.size() == plan.nodes().size());
  double ms = 0, flops = 0;
  for (const auto& layer : layers) {
    ms += layer.at("ms").get<double>();
    flops += layer.at("flops").get<double>();
    const double gflops = layer.at("flops").get<double>() / layer.at("ms").get<double>() / 1e6;
    CHECK(layer.at("gflops").get<double>() == doctest::Approx(gflops));
    CHECK(layer.at("fraction_of_peak").get<double>() == doctest::Approx(gflops / 100));  // nothing is saved
    CHECK(layer.at("fraction_of_bandwidth").get<double>() == doctest::Approx(layer.at("gbs").get<double>() / 10));
    CHECK(layer.at("ms_spread").at(0) <= layer.at("ms"));
    CHECK(layer.at("ms_spread").at(1) >= layer.at("ms"));
  }
  CHECK(ms == doctest::Approx(1e3 * (times.of(plan, Phase::forward).value + times.of(plan, Phase::backward).value)));
  CHECK(flops == static_cast<double>(plan.total_cost().flops));
  CHECK(layers[0].at("scope") == "block.0");
  CHECK(layers[0].at("operation") == "conv2d");
  CHECK(layers[0].at("shape") == nlohmann::json({2, 9, 9, 24}));
  CHECK(layers[0].at("output_bytes") == 2 * 9 * 9 * 24 * 4);
  CHECK_FALSE(layers_json(plan, limits)[0].contains("ms"));
}

TEST_CASE("arena map: what is there at one time lies apart, and inside the arena") {
  const SmallStep step;
  const Plan plan = step.plan();
  const nlohmann::json arena = arena_json(plan);
  int64_t end = 0;
  for (size_t i = 0; i < arena.size(); ++i) {
    const auto begin_i = arena[i].at("offset").get<int64_t>(), end_i = begin_i + arena[i].at("bytes").get<int64_t>();
    end = std::max(end, end_i);
    for (size_t j = 0; j < i; ++j) {
      const auto begin_j = arena[j].at("offset").get<int64_t>(), end_j = begin_j + arena[j].at("bytes").get<int64_t>();
      const bool at_once = arena[i].at("lifetime").at(0) <= arena[j].at("lifetime").at(1) &&
                           arena[j].at("lifetime").at(0) <= arena[i].at("lifetime").at(1);
      INFO(arena[i].dump(), " and ", arena[j].dump());
      CHECK_FALSE((at_once && begin_i < end_j && begin_j < end_i));
    }
  }
  CHECK(end <= plan.peak_bytes());
  CHECK(end > plan.peak_bytes() - 2 * memory_alignment);
  const auto named = [&](const std::string& name) {
    return std::any_of(arena.begin(), arena.end(), [&](const auto& place) { return place.at("name") == name; });
  };
  CHECK(named("images"));
  CHECK(named("weight"));
}

TEST_CASE("single operation: each runs, with its gradients") {
  for (const std::string& name : operation_names()) {
    CAPTURE(name);
    const bool rows = name == "linear" || name == "cross_entropy" || name == "softmax";
    SingleOperation single({.name = name, .shape = rows ? Shape{6, 5} : Shape{2, 7, 6, 5}}, test_device());
    std::vector<double> seconds;
    single.run(&seconds);
    single.run(&seconds);
    REQUIRE(seconds.size() == single.plan().nodes().size());
    NodeTimes times;
    times.add(seconds, 1);
    const nlohmann::json operations = operations_json(single.plan(), limits, times);
    size_t count = 0;
    for (const auto& row : operations) {
      count += row.at("count").get<size_t>();
    }
    CHECK(count >= 1);
    CHECK(count <= single.plan().nodes().size());
  }
}

TEST_CASE("single operation: shapes in words") {
  CHECK(parse_shape("32x48x48x64") == Shape{32, 48, 48, 64});
  CHECK(parse_shape("7") == Shape{7});
  for (const char* text :
       {"", "x", "3x", "x3", "3xx4", "0x2", "-1", "2x3.5", "1x1x1x1x1x1x1x1x1", "99999999999999999999"}) {
    CHECK_THROWS_AS(parse_shape(text), Error);
  }
}

TEST_CASE("cost page: every operation and every place is drawn; names stay text; nothing is loaded") {
  const SmallStep step("<b>&layer");
  const size_t nodes = step.plan().nodes().size();
  const NodeTimes times = made_up_times(nodes);
  for (const bool measured : {false, true}) {
    CAPTURE(measured);
    const nlohmann::json result = step.result(limits, measured ? &times : nullptr);
    const std::string page = render_cost_page(result, limits);
    const auto count = [&](const std::string& part) {
      size_t found = 0;
      for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) {
        ++found;
      }
      return found;
    };
    CHECK(holds(page, "&lt;small&gt;", "&lt;b&gt;&amp;layer conv2d", "All " + std::to_string(nodes) + " operations"));
    CHECK(holds(page, measured ? "2 ms" : "nothing was run"));
    CHECK(count("<b>&layer") == 0);
    CHECK(count("<small>") == 0);
    CHECK(count("<circle") >= 3);
    CHECK(count(", during nodes ") == result.at("arena").size());
    CHECK(count("http") == 1);  // http-equiv, of the policy
    CHECK(count("<script") == 0);
    CHECK(count("nan") == 0);
    CHECK(count("inf\"") == 0);
  }
}

}  // namespace fer::test
