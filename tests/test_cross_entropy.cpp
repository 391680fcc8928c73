#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "tests/evaluate.h"

namespace fer::test {

namespace {

const Tensor logits_values = tensor_of<double>({2, 3}, {1, 2, 3, 0.5, -1, 2});
const Tensor weight_values = tensor_of<double>({3}, {1, 2, 0.5});
const Tensor label_values = tensor_of<int32_t>({2}, {2, 0});
const Tensor share_values = tensor_of<double>({2, 3}, {0.2, 0.3, 0.5, 0.6, 0.4, 0});

// Loss and its gradient against PyTorch 1.13's in double.
void check(const CrossEntropyParams& params, const Tensor& target_values, bool weighted, double loss,
           const std::vector<double>& gradient) {
  Graph graph;
  const Value logits = graph.input("logits", DType::f64, {2, 3});
  const Value target = graph.input("target", target_values.dtype(), target_values.shape());
  const Value weight = graph.input("weight", DType::f64, {3});
  const Value y = cross_entropy(logits, target, params, weighted ? std::optional(weight) : std::nullopt);
  const Value wrt[] = {logits};
  std::vector<std::pair<Value, Tensor>> inputs{{logits, logits_values}, {target, target_values}};
  if (weighted) {
    inputs.emplace_back(weight, weight_values);
  }
  const auto results = evaluate({y, gradients(y, wrt)[0]}, inputs);
  CHECK(results[0].data<double>()[0] == doctest::Approx(loss).epsilon(1e-12));
  for (size_t i = 0; i < gradient.size(); ++i) {
    CHECK(results[1].data<double>()[i] == doctest::Approx(gradient[i]).epsilon(1e-9));
  }
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("cross_entropy: combinations of weights, smoothing and probabilities are PyTorch's") {
  check({.label_smoothing = 0.2}, label_values, true, 1.6494480782403358,
        {-0.006431535773, 0.014440910001, -0.008009374228, -0.457022174304, -0.061944671747, 0.51896684605});
  check({.label_smoothing = 0.2, .sum = true}, label_values, true, 2.4741721173605034,
        {-0.009647303659, 0.021661365001, -0.012014061343, -0.685533261455, -0.09291700762, 0.778450269076});
  check({.label_smoothing = 0.2, .sum = true}, label_values, false, 2.348917261101538,
        {0.023363906504, 0.178061804388, -0.201425710892, -0.691376274527, -0.027554093396, 0.718930367923});
  check({}, share_values, true, 2.53291103899331,
        {-0.052733949086, -0.171517552696, 0.224251501782, -0.177296725502, -0.372621198711, 0.549917924212});
  check({.label_smoothing = 0.2}, share_values, true, 2.4853691783231606,
        {-0.065016925732, -0.175329053867, 0.240345979599, -0.154720167985, -0.360200492087, 0.514920660072});
}

TEST_CASE("cross_entropy: multi-target is minus the log of the largest share times probability") {
  const std::vector<double> gradient{0.045015286585190224, -0.3776357644726012,  0.3326204778874109,
                                     -0.41235480392998164, 0.019556286635343728, 0.39279851729463794};
  for (double share : {0.5, 3.0}) {  // shares are scaled to sum 1
    const Tensor target = tensor_of<double>({2, 3}, {share, share, 0, share, share, 0});
    check({.multi_target = true}, target, false, 2.2676058111107142, gradient);
  }
}

TEST_CASE("cross_entropy: a label outside the classes gives NaN for its row only") {
  Graph graph;
  const Value logits = graph.input("logits", DType::f64, {2, 3});
  const Value labels = graph.input("labels", DType::i32, {2});
  const Value loss = cross_entropy(logits, labels);
  const Value wrt[] = {logits};
  const auto results =
      evaluate({loss, gradients(loss, wrt)[0]}, {{logits, logits_values}, {labels, tensor_of<int32_t>({2}, {-1, 2})}});
  CHECK(std::isnan(results[0].data<double>()[0]));
  CHECK(std::isnan(results[1].data<double>()[0]));
  CHECK(std::isfinite(results[1].data<double>()[3]));
}

TEST_CASE("cross_entropy: errors name the shapes") {
  Graph graph;
  const Value logits = graph.input("logits", DType::f32, {4, 7});
  CHECK(error_of([&] { cross_entropy(logits, graph.input("labels", DType::i32, {5})); }) ==
        "cross_entropy: logits f32[4,7] expect a target i32[4] of labels or f32[4,7] of probabilities, target is "
        "i32[5]");
  const Value labels = graph.input("good", DType::i32, {4});
  CHECK(error_of([&] { cross_entropy(logits, labels, {}, graph.input("weight", DType::f32, {6})); }) ==
        "cross_entropy: logits f32[4,7] expect class weights f32[7], are f32[6]");
  CHECK(error_of([&] { cross_entropy(logits, labels, {.multi_target = true}); }) ==
        "cross_entropy: multi-target loss expects a target f32[4,7] of acceptable classes, target is i32[4]");
}

TEST_CASE("count_correct: the first largest logit decides, NaN is never right") {
  Graph graph;
  const Value logits = graph.input("logits", DType::f32, {6, 3});
  const Value labels = graph.input("labels", DType::i32, {6});
  const float nan = std::nanf("");
  const auto results =
      evaluate({count_correct(logits, labels), softmax(logits)},
               {{logits, tensor_of<float>({6, 3}, {1, 2, 3, 5, 5, 5, 5, 5, 5, nan, 1, 0, 9, 1, 1, 0, 0, 0})},
                {labels, tensor_of<int32_t>({6}, {2, 0, 1, 1, 0, 3})}});
  CHECK(results[0].data<int32_t>()[0] == 3);  // rows 0, 1 and 4
  CHECK(results[1].data<float>()[4] == doctest::Approx(1.0 / 3));
}

}  // namespace fer::test
