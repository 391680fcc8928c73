// 1x1 convolutions that normalise what they read: against batch-norm and product in double, in their bounds, with any
// number of threads; and where fusion puts them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/executor.h"
#include "autograd/ops.h"
#include "kernels/activation.h"
#include "kernels/normalised_product.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/cases/run_case.h"

namespace fer::test {

namespace {

std::vector<float> numbers(const std::string& name, int64_t count) {
  const std::vector<double> random = uniform(name, count);
  return {random.begin(), random.end()};
}

// Of `actual`, relative to the largest of `expected`.
double error(const std::vector<float>& actual, const std::vector<double>& expected) {
  double largest = 0, worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(double{actual[i]} - expected[i]));
  }
  return worst / largest;
}

// Workspace with a fence behind it.
struct FencedWorkspace {
  explicit FencedWorkspace(int64_t bytes) : bytes(bytes), block(bytes + guard_bytes) {
    std::fill_n(block.data(), bytes + guard_bytes, std::byte{0x5A});
  }
  bool is_whole() const {
    return std::all_of(block.data() + bytes, block.data() + bytes + guard_bytes,
                       [](std::byte byte) { return byte == std::byte{0x5A}; });
  }
  int64_t bytes;
  Block block;
};

}  // namespace

TEST_CASE("normalised product: batch-norm and product in double agree") {
  struct Size {
    int64_t pixels, outputs;
    std::vector<int64_t> pieces;  // channels of x
  };
  for (const Size& size : {Size{1, 1, {1}}, Size{5, 24, {33}}, Size{1023, 7, {17, 32, 3}}, Size{2000, 130, {256, 32}},
                           Size{4001, 40, {96}}}) {
    std::vector<std::vector<float>> x;
    Pieces<const float> pieces;
    int64_t channels = 0;
    for (const int64_t width : size.pieces) {
      x.push_back(numbers("x" + std::to_string(width), size.pixels * width));
      pieces.add({x.back().data(), {size.pixels, width}});
      channels += width;
    }
    const auto gamma = numbers("gamma", channels), beta = numbers("beta", channels), mean = numbers("mean", channels),
               inverse = numbers("inverse", channels), w = numbers("w", size.outputs * channels),
               dy = numbers("dy", size.pixels * size.outputs);
    std::vector<double> y(static_cast<size_t>(size.pixels * size.outputs)), dw(w.size());
    for (int64_t pixel = 0; pixel < size.pixels; ++pixel) {
      for (int64_t piece = 0, c = 0; piece < pieces.count; ++piece) {
        const int64_t width = pieces.channels(static_cast<int>(piece));
        for (int64_t i = 0; i < width; ++i, ++c) {
          const auto at = static_cast<size_t>(c);
          const double value =
              (double{pieces.data[piece][pixel * width + i]} - mean[at]) * inverse[at] * gamma[at] + beta[at];
          for (int64_t o = 0; o < size.outputs; ++o) {
            const auto weight = static_cast<size_t>(o * channels + c);
            const auto result = static_cast<size_t>(pixel * size.outputs + o);
            y[result] += std::max(value, 0.0) * w[weight];
            dw[weight] += std::max(value, 0.0) * dy[result];
          }
        }
      }
    }
    const NormalisedShape shape{Activation::relu, size.pixels, channels, size.outputs};
    const auto vector = [&](const std::vector<float>& of) { return View<const float>{of.data(), {channels}}; };
    for (const int threads : {1, 2, 3}) {
      CAPTURE(threads);
      CAPTURE(size.pixels);
      const ThreadCount count(threads);
      std::vector<float> made_y(y.size(), NAN), made_dw(w.size(), NAN);
      const auto forward = prepare_normalised_forward(shape);
      const FencedWorkspace of_forward(forward.workspace_bytes);
      forward.run(pieces, vector(gamma), vector(beta), vector(mean), vector(inverse),
                  {w.data(), {size.outputs, 1, 1, channels}}, {made_y.data(), {size.pixels, size.outputs}},
                  of_forward.block.data());
      CHECK(error(made_y, y) < 1e-6);
      CHECK(of_forward.is_whole());
      const auto backward = prepare_normalised_backward_weight(shape);
      const FencedWorkspace of_backward(backward.workspace_bytes);
      backward.run(pieces, vector(gamma), vector(beta), vector(mean), vector(inverse),
                   {dy.data(), {size.pixels, size.outputs}}, {made_dw.data(), {size.outputs, 1, 1, channels}},
                   of_backward.block.data());
      CHECK(error(made_dw, dw) < 5e-6);
      CHECK(of_backward.is_whole());
    }
  }
}

TEST_CASE("normalised product: takes the place of a batch-norm that only a 1x1 convolution reads") {
  Graph graph;
  std::vector<Value> inputs;
  const auto input = [&](const char* name, const Shape& shape) {
    return inputs.emplace_back(graph.input(name, DType::f32, shape));
  };
  const auto statistic = [&](const char* name, float first) {
    return graph.variable(
        name, {DType::f32, {96}}, [=](Tensor& value, RandomSequence&) { std::ranges::fill(value.as<float>(), first); },
        false);
  };
  const Value a = input("a", {8, 27, 31, 64}), b = input("b", {8, 27, 31, 32});
  const Value w = input("w", {40, 1, 1, 96}), gamma = input("gamma", {96});
  const Value norm = relu(batch_norm(concat(std::vector{a, b}), gamma, input("beta", {96}), statistic("mean", 0),
                                     statistic("var", 1), {1e-3, 0.1}, true));
  const Value y = conv2d(norm, w, {}, {});
  std::vector<Value> results{y};
  for (const Value gradient : gradients(y, std::vector{a, w, gamma}, input("dy", y.shape()))) {
    results.push_back(gradient);
  }
  std::vector<std::vector<float>> made[2];
  for (const bool fuse : {false, true}) {
    PlanOptions options;
    options.fuse = fuse;
    Executor executor(make_plan(graph, results, options), Device::cpu, std::make_shared<Variables>(0));
    int fused = 0;
    for (const PlannedNode& node : executor.plan().nodes()) {
      for (const char* name : {"batch_norm_statistics", "batch_norm_conv2d", "batch_norm_conv2d_backward_weight"}) {
        fused += node.operation->name() == name;
      }
    }
    CHECK(fused == (fuse ? 3 : 0));
    for (const Value& value : inputs) {
      const std::string& name = executor.plan().values()[static_cast<size_t>(value.id())].name;
      const std::vector<float> elements = numbers(name, value.shape().size());
      executor.feed(value, Tensor::from(value.shape(), elements.data()).view());
    }
    executor.run({});
    for (const Value& result : results) {
      const auto view = executor.read(result).as<const float>();
      made[fuse].emplace_back(view.data, view.data + view.size());
    }
  }
  CHECK(made[0][0] == made[1][0]);  // the same products of the same numbers
  for (size_t i = 1; i < results.size(); ++i) {
    CHECK(error(made[1][i], {made[0][i].begin(), made[0][i].end()}) < 1e-6);
  }
}

}  // namespace fer::test
