// The planner on its own: placement, lifetimes, dead nodes, and what a plan promises.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "autograd/executor.h"
#include "autograd/ops.h"
#include "autograd/placement.h"
#include "models/model.h"
#include "tests/cases/run_case.h"

namespace fer::test {

namespace {

void check_apart(const std::vector<Piece>& pieces, int64_t total) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    CHECK(pieces[i].offset >= 0);
    CHECK(pieces[i].offset + pieces[i].bytes <= total);
    for (size_t j = 0; j < i; ++j) {
      const bool in_time = pieces[i].first <= pieces[j].last && pieces[j].first <= pieces[i].last;
      const bool in_space = pieces[i].offset < pieces[j].offset + pieces[j].bytes &&
                            pieces[j].offset < pieces[i].offset + pieces[i].bytes;
      CHECK_FALSE((in_time && in_space));
    }
  }
}

}  // namespace

TEST_CASE("planner: pieces that live at once stay apart, others share") {
  std::vector<Piece> pieces = {{64, 0, 1, 0}, {64, 2, 3, 0}, {128, 1, 2, 0}};
  const int64_t total = place_pieces(pieces);
  check_apart(pieces, total);
  CHECK(total == 192);
  CHECK(largest_live_sum(pieces) == 192);
}

TEST_CASE("planner: a node of which only the second output is read runs whole") {
  // The gradient of max-pooling needs where the maxima are, not what they are.
  Graph graph;
  const Value x = graph.input("x", DType::f32, {1, 4, 4, 1});
  const Value dy = graph.input("dy", DType::f32, {1, 2, 2, 1});
  const Value slope = gradients(max_pool(x, {}), std::vector{x}, dy)[0];
  Executor executor(make_plan(graph, std::vector{slope}), Device::cpu, std::make_shared<Variables>(0));
  const float pixels[] = {0, 1, 2, 3, 4, 5, 6, 7, 15, 14, 13, 12, 11, 10, 9, 8}, weights[] = {1, 2, 3, 4};
  executor.feed(x, Tensor::from(x.shape(), pixels).view()).feed(dy, Tensor::from(dy.shape(), weights).view()).run({});
  const float* result = executor.read(slope).as<const float>().data;
  const std::vector<float> expected = {0, 0, 0, 0, 0, 1, 0, 2, 3, 0, 4, 0, 0, 0, 0, 0};
  CHECK(std::vector<float>(result, result + 16) == expected);
}

TEST_CASE("planner: random pieces") {
  RandomSequence random(Philox(1, 2));
  for (int round = 0; round < 50; ++round) {
    std::vector<Piece> pieces;
    for (int i = 0; i < 40; ++i) {
      const int first = static_cast<int>(random.below(30));
      pieces.push_back({64 * (1 + random.below(20)), first, first + static_cast<int>(random.below(10)), 0});
    }
    const int64_t total = place_pieces(pieces);
    check_apart(pieces, total);
    CHECK(total >= largest_live_sum(pieces));
  }
  std::vector<Piece> none;
  CHECK(place_pieces(none) == 0);
}

TEST_CASE("planner: an attack computes no weight gradient") {
  Graph graph;
  const Value x = graph.input("x", DType::f32, {2, 48, 48, 1});
  const Value labels = graph.input("labels", DType::i32, {2});
  const auto model = make_model("cnn_2block", graph);
  const Value loss = cross_entropy(model->forward(x, Mode::evaluation), labels);
  const Value slope = gradients(loss, std::vector{x})[0];
  gradients(loss, graph.trainable());
  const Plan plan = make_plan(graph, std::vector{slope});
  for (const PlannedNode& node : plan.nodes()) {
    CHECK(node.operation->name().find("backward_weight") == std::string::npos);
  }
}

TEST_CASE("planner: an executor's arena is the planned peak, and sharing saves") {
  Graph graph;
  const Value x = graph.input("x", DType::f32, {4, 48, 48, 1});
  const Value logits = make_model("mobilenet_v2", graph, {.size = 48})->forward(x, Mode::evaluation);
  PlanOptions unshared;
  unshared.share = false;
  const Plan all = make_plan(graph, std::vector{logits}, unshared);
  Executor executor(make_plan(graph, std::vector{logits}), Device::cpu, std::make_shared<Variables>(0));
  CHECK(executor.arena_bytes() == executor.plan().peak_bytes());
  CHECK(executor.plan().peak_bytes() >= executor.plan().lower_bound_bytes());
  CHECK(executor.plan().peak_bytes() * 3 < all.peak_bytes());
}

TEST_CASE("planner: one sign step, fused batch-norms, one optimizer launch") {
  Graph graph;
  const Value x = graph.input("x", DType::f32, {2, 32, 32, 3});
  const Value labels = graph.input("labels", DType::i32, {2});
  const auto model = make_model("mobilenet_v2", graph, {.size = 32});
  const Value loss = cross_entropy(model->forward(x, Mode::evaluation), labels);
  const Value slope = gradients(loss, std::vector{x})[0];
  std::vector<Value> attacked;
  for (double eps : {0.01, 0.03, 0.1}) {
    attacked.push_back(clamp(add(x, scale(sign(slope), eps)), 0, 1));
  }
  const Plan plan = make_plan(graph, attacked);
  int steps = 0;
  for (const PlannedNode& node : plan.nodes()) {
    steps += node.operation->name() == "sign_step";
    for (const char* absorbed : {"sign", "clamp", "scale", "relu6", "relu6_backward"}) {
      CHECK(node.operation->name() != absorbed);
    }
  }
  CHECK(steps == 3);
}

TEST_CASE("planner: batch-norms read the pieces of concatenations, and their gradients add up what is wider") {
  for (const Mode mode : {Mode::training, Mode::evaluation}) {
    Graph graph;
    const Value x = graph.input("x", DType::f32, {2, 32, 32, 3});
    const auto model = make_model("densenet121", graph, {.size = 32});
    const Value loss = cross_entropy(model->forward(x, mode), graph.input("labels", DType::i32, {2}));
    const Plan plan = make_plan(graph, gradients(loss, std::vector{x}));
    int slices = 0;
    for (const PlannedNode& node : plan.nodes()) {
      CHECK(node.operation->name() != "concat");
      CHECK((node.operation->name() != "add" ||
             plan.values()[static_cast<size_t>(node.outputs[0])].type.shape[-1] <= 32));
      slices += node.operation->name() == "slice_channels";
    }
    CHECK(slices == 58);  // what each layer adds
  }
  // What somebody else reads is concatenated.
  Graph graph;
  const Value x = graph.input("x", DType::f32, {2, 3, 3, 4});
  const auto vector = [&](const char* name) { return graph.input(name, DType::f32, {8}); };
  const Value both = concat(std::vector{x, x});
  const Value norm = batch_norm(both, vector("gamma"), vector("beta"), vector("mean"), vector("var"), {}, false);
  const Plan plan = make_plan(graph, std::vector{norm, relu(both)});
  CHECK(plan.nodes()[0].operation->name() == "concat");
}

TEST_CASE("planner: convolutions finish what follows them, and pooled pixels clamp their gradient, to the same bits") {
  Graph graph;
  std::vector<Value> inputs;
  const auto input = [&](const char* name, const Shape& shape) {
    return inputs.emplace_back(graph.input(name, DType::f32, shape));
  };
  const Value w = input("w", {32, 3, 3, 32});
  const Value y = relu(conv2d(input("x", {2, 9, 8, 32}), w, input("b", {32}), {1, symmetric_padding(1)}));
  const Value norm = batch_norm(y, input("gamma", {32}), input("beta", {32}), input("mean", {32}), input("var", {32}),
                                {0.6, 0.1}, false);
  const Value pooled = max_pool(y, {});
  const std::pair<Value, std::vector<std::string>> results[] = {
      {max_pool(norm, {}), {"conv2d_finished"}},
      {pooled, {"conv2d_finished"}},
      {gradients(pooled, std::vector{w}, input("dy", pooled.shape()))[0], {"relu_backward", "max_pool_backward"}}};
  for (const auto& [result, fused] : results) {
    std::vector<std::byte> bits[2];
    for (const bool fuse : {false, true}) {
      PlanOptions options;
      options.fuse = fuse;
      Executor executor(make_plan(graph, std::vector{result}, options), Device::cpu, std::make_shared<Variables>(0));
      std::vector<std::string> names;
      for (const PlannedNode& node : executor.plan().nodes()) {
        names.push_back(node.operation->name());
      }
      CHECK((std::ranges::search(names, fused).size() == fused.size()) == fuse);
      for (const Value& value : inputs) {
        const auto& of = executor.plan().values();
        const std::string& name = of[static_cast<size_t>(value.id())].name;
        Tensor numbers = Tensor::from(value.shape(), uniform(name, value.shape().size()).data()).converted(DType::f32);
        if (name == "x") {
          numbers.data<float>()[100] = std::numeric_limits<float>::quiet_NaN();
        }
        executor.feed(value, numbers.view());
      }
      executor.run({});
      const AnyView made = executor.read(result);
      bits[fuse].assign(static_cast<std::byte*>(made.data), static_cast<std::byte*>(made.data) + result.type().bytes());
    }
    CHECK(bits[0] == bits[1]);
  }
}

TEST_CASE("planner: what has moved in one fusion takes no part in another") {
  Graph graph;
  std::vector<Value> inputs;
  const auto input = [&](const char* name, const Shape& shape) {
    return inputs.emplace_back(graph.input(name, DType::f32, shape));
  };
  const auto statistic = [&](const char* name) {
    return graph.variable(
        name, {DType::f32, {32}}, [](Tensor& value, RandomSequence&) { std::ranges::fill(value.as<float>(), 1.0F); },
        false);
  };
  const Value x = input("x", {32, 23, 23, 32}), gamma = input("gamma", {32}), beta = input("beta", {32});
  const Value w = input("w", {32, 3, 3, 32}), u = input("u", {32, 1, 1, 32});
  const auto norm = [&](Value of, bool training) {
    return batch_norm(of, gamma, beta, statistic("mean"), statistic("var"), {0.6, 0.1}, training);
  };
  // A batch-norm that has left for its SiLU; a product that has left for its ReLU.
  const Value apart = silu(norm(conv2d(x, w, {}, {1, symmetric_padding(1)}), false));
  const Value product = relu(conv2d(relu(norm(x, true)), u, {}, {}));
  const Value results[] = {apart, product, gradients(product, std::vector{u}, input("dy", product.shape()))[0]};
  std::vector<Tensor> made[2];
  for (const bool fuse : {false, true}) {
    PlanOptions options;
    options.fuse = fuse;
    Executor executor(make_plan(graph, results, options), Device::cpu, std::make_shared<Variables>(0));
    for (const Value& value : inputs) {
      const std::string& name = executor.plan().values()[static_cast<size_t>(value.id())].name;
      const Tensor numbers = Tensor::from(value.shape(), uniform(name, value.shape().size()).data());
      executor.feed(value, numbers.converted(DType::f32).view());
    }
    executor.run({});
    for (const Value& result : results) {
      made[fuse].push_back(Tensor(executor.read(result), nullptr).converted(DType::f64));
    }
  }
  for (size_t i = 0; i < std::size(results); ++i) {
    CHECK(relative_difference(made[1][i], made[0][i]) < 1e-5);
  }
}

TEST_CASE("planner: wrong use is told") {
  Graph graph, other;
  const Value x = graph.input("x", DType::f32, {2, 3});
  const Value y = other.input("y", DType::f32, {2, 3});
  CHECK_THROWS_WITH_AS(add(x, y), doctest::Contains("add"), Error);
  CHECK_THROWS_WITH_AS(gradients(sum(x), std::vector{graph.input("z", DType::f32, {1})}),
                       doctest::Contains("does not depend on 'z'"), Error);
  CHECK_THROWS_WITH_AS(gradients(x, std::vector{x}), doctest::Contains("not a scalar"), Error);
  Executor executor(make_plan(graph, std::vector{relu(x)}), Device::cpu, std::make_shared<Variables>(0));
  float wrong[2] = {0, 0};
  CHECK_THROWS_WITH_AS(executor.feed(x, {wrong, DType::f32, {2}}), doctest::Contains("'x' expects f32[2,3]"), Error);
  CHECK_THROWS_WITH_AS(make_model("resnet", graph), doctest::Contains("mobilenet_v2"), Error);
}

}  // namespace fer::test
