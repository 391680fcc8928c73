#include <doctest/doctest.h>

#include <algorithm>

#include "tests/evaluate.h"

namespace fer::test {

namespace {

Initializer filled(double value) {
  return [=](Tensor& tensor, RandomSequence&) {
    std::fill_n(tensor.data<float>(), tensor.size(), static_cast<float>(value));
  };
}

}  // namespace

TEST_CASE("optimizer_step: every element of every tensor is updated once, whatever the tensors' sizes") {
  for (const char* name : {"sgd", "adam", "adamw", "nadam", "radam", "rmsprop"}) {
    CAPTURE(name);
    OptimizerParams params{.kind = parse_optimizer(name), .weight_decay = 0.01};
    params.momentum = params.kind == OptimizerKind::sgd ? 0.9 : 0;
    Graph graph;
    std::vector<Value> parameters, gradients;
    for (int64_t size : {1, 16383, 7, 40000, 0, 129}) {
      std::string weight = "w";
      weight += std::to_string(size);
      parameters.push_back(graph.variable(weight, {DType::f32, {size}}, filled(0.5), true));
      gradients.push_back(constant(graph, {DType::f32, {size}}, 0.25));
    }
    const Value rate = graph.input("learning_rate", DType::f32, {});
    const Value update = optimizer_step(params, rate, parameters, gradients);
    auto variables = std::make_shared<Variables>(0);
    for (int step = 0; step < 3; ++step) {
      evaluate({update}, {{rate, tensor_of<float>({}, {0.1f})}}, {}, variables);
    }
    const float expected = variables->at("w1").data<float>()[0];
    CHECK(expected < 0.5f);
    int64_t different = 0;
    for (const auto& [weight, tensor] : variables->all()) {
      if (weight[0] == 'w') {
        different += std::count_if(tensor.data<float>(), tensor.data<float>() + tensor.size(),
                                   [&](float element) { return element != expected; });
      }
    }
    CHECK(different == 0);
    CHECK(variables->at("optimizer.state").data<double>()[0] == 3);
    CHECK(variables->contains("optimizer.w7.m") == keeps_first_moment(params));
    CHECK(variables->contains("optimizer.w7.v") == keeps_second_moment(params));
  }
}

TEST_CASE("optimizer_step: errors say what does not fit") {
  Graph graph;
  const Value weight = graph.variable("w", {DType::f32, {3}}, filled(0), true);
  const Value gradient = graph.input("g", DType::f32, {4});
  const Value rate = graph.input("rate", DType::f32, {});
  const Value weights[] = {weight}, bad_gradients[] = {gradient}, inputs[] = {gradient};
  CHECK_THROWS_WITH_AS(optimizer_step({}, rate, weights, bad_gradients),
                       "adam_step: parameter 0 is f32[3], its gradient f32[4]", Error);
  CHECK_THROWS_WITH_AS(optimizer_step({}, rate, inputs, bad_gradients),
                       "optimizer_step: f32[4] is not a variable; only variables can be updated", Error);
  CHECK_THROWS_WITH_AS(parse_optimizer("adagrad"),
                       "optimizer: no 'adagrad'; there are sgd, adam, adamw, nadam, radam, rmsprop", Error);
}

}  // namespace fer::test
