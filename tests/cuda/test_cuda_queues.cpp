// Weight gradients on a queue of their own: that all waits that are needed are there, and no others; that steps give
// the same bits however late each queue runs; and that the faster way is kept.
#include <doctest/doctest.h>

#include <bitset>
#include <cmath>
#include <cstring>
#include <numeric>
#include <thread>

#include "autograd/lifetimes.h"
#include "autograd/queues.h"
#include "kernels/cuda/launch.h"
#include "models/saved_model.h"
#include "tests/cuda/emulated_gpu.h"
#include "tests/small_data.h"
#include "train/step.h"

namespace fer::test {

namespace {

Plan training_plan(const std::string& model, const PlanOptions& options) {
  Graph graph;
  const ModelOptions resolved = resolve(find_model(model), {});
  const Value x = graph.input("x", DType::f32, {2, resolved.size, resolved.size, resolved.channels});
  const Value labels = graph.input("labels", DType::i32, {2});
  const Value rate = graph.input("rate", DType::f32, {});
  const Value loss = cross_entropy(make_model(model, graph, resolved)->forward(x, Mode::training), labels);
  const std::vector<Value> parameters = graph.trainable();
  const Value update = optimizer_step({.kind = parse_optimizer("adam")}, rate, parameters, gradients(loss, parameters));
  return make_plan(graph, std::vector{loss, update}, options);
}

// What a node does to one stretch of an address space in which arena, variables and residents follow each other.
struct Touch {
  int64_t begin, end;
  bool writes;
};

std::vector<std::vector<Touch>> touches_of(const Plan& plan) {
  std::vector<int64_t> addresses(plan.values().size());
  int64_t next = plan.peak_bytes();
  for (size_t i = 0; i < addresses.size(); ++i) {
    const PlannedValue& value = plan.values()[i];
    addresses[i] = value.offset >= 0 ? value.offset : next;
    next += value.offset >= 0 ? 0 : value.type.bytes();
  }
  std::vector<std::vector<Touch>> touches;
  for (const PlannedNode& node : plan.nodes()) {
    touches.emplace_back();
    const auto touch = [&](int id, bool writes) {
      const int64_t begin = addresses[static_cast<size_t>(id)];
      touches.back().push_back({begin, begin + plan.values()[static_cast<size_t>(id)].type.bytes(), writes});
    };
    if (node.operation->is_view()) {
      addresses[static_cast<size_t>(node.outputs[0])] = addresses[static_cast<size_t>(node.inputs[0])];
      continue;
    }
    for (int id : node.inputs) {
      touch(id, false);
    }
    for (int input : node.operation->mutates()) {
      touch(node.inputs[static_cast<size_t>(input)], true);
    }
    for (int id : node.outputs) {
      touch(id, true);
    }
    touches.back().push_back({node.workspace_offset, node.workspace_offset + node.kernel.workspace_bytes, true});
  }
  return touches;
}

bool clash(const std::vector<Touch>& some, const std::vector<Touch>& others) {
  for (const Touch& one : some) {
    for (const Touch& other : others) {
      if ((one.writes || other.writes) && std::max(one.begin, other.begin) < std::min(one.end, other.end)) {
        return true;
      }
    }
  }
  return false;
}

// Pairs of nodes of different queues that must run in their order; every node of the second queue runs after
// before_first_node and before the end.
std::vector<std::pair<int, int>> pairs_to_order(const Plan& plan) {
  const auto touches = touches_of(plan);
  const int end = static_cast<int>(plan.nodes().size());
  std::vector<std::pair<int, int>> pairs;
  for (int i = 0; i < end; ++i) {
    if (!plan.nodes()[static_cast<size_t>(i)].run_beside) {
      continue;
    }
    pairs.emplace_back(before_first_node, i);
    pairs.emplace_back(i, end);
    for (int j = 0; j < end; ++j) {
      const bool beside = static_cast<bool>(plan.nodes()[static_cast<size_t>(j)].run_beside);
      if (!beside && clash(touches[static_cast<size_t>(i)], touches[static_cast<size_t>(j)])) {
        pairs.emplace_back(std::min(i, j), std::max(i, j));
      }
    }
  }
  return pairs;
}

// Do the order in each queue and the waits, all but `dropped`, put every pair in order?
bool in_order(const Plan& plan, const std::vector<std::pair<int, int>>& pairs, const std::vector<Wait>& waits,
              size_t dropped) {
  using Nodes = std::bitset<8192>;
  const size_t end = plan.nodes().size();
  REQUIRE(end + 2 <= Nodes().size());
  std::vector<Nodes> before(end + 2);
  const auto place = [](int node) { return static_cast<size_t>(node) + 1; };
  const auto follows = [&](int node, int on) {
    Nodes& own = before[place(node)];
    own |= before[place(on)];
    own.set(place(on));
  };
  int last[2] = {before_first_node, before_first_node};
  for (int i = 0; i <= static_cast<int>(end); ++i) {
    const bool beside = i < static_cast<int>(end) && plan.nodes()[static_cast<size_t>(i)].run_beside;
    if (!beside || last[1] != before_first_node) {
      follows(i, last[beside]);
    }
    for (size_t w = 0; w < waits.size(); ++w) {
      if (waits[w].node == i && w != dropped) {
        follows(i, waits[w].on);
      }
    }
    last[beside] = i;
  }
  return std::ranges::all_of(pairs,
                             [&](const auto& pair) { return before[place(pair.second)].test(place(pair.first)); });
}

void check_waits(const Plan& plan) {
  const auto pairs = pairs_to_order(plan);
  const std::vector<Wait> waits = waits_between_queues(plan);
  REQUIRE(waits.size() >= 2);
  CHECK(in_order(plan, pairs, waits, waits.size()));
  for (size_t dropped = 0; dropped < waits.size(); ++dropped) {
    CHECK_FALSE(in_order(plan, pairs, waits, dropped));
  }
}

std::map<std::string, Tensor> trained(const std::string& model, int64_t size, int steps, const PlanOptions& plan) {
  TrainOptions options;
  options.batch = 2;
  options.optimizer = "adam";
  const Network network = make_network(model, {.size = size}, 3, Device::cuda);
  TrainingStep step(options, network, find_model(model).head, small_data(3, size), plan);
  for (int i = 0; i < steps; ++i) {
    step.run({2, 1}, 1e-3, {5, static_cast<uint64_t>(i)});
  }
  std::map<std::string, Tensor> variables;
  for (const auto& [name, tensor] : network.variables->all()) {
    variables[name] = tensor.clone();
  }
  return variables;
}

__global__ void copy_kernel(const float* from, float* to) { *to = *from; }

// A run that takes some time.
class Nap : public CapturedRun {
 public:
  Nap(int milliseconds, int& count) : milliseconds_(milliseconds), count_(count) {}
  void replay() override {
    ++count_;
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
  }
  int64_t size() const override { return milliseconds_; }

 private:
  int milliseconds_;
  int& count_;
};

}  // namespace

TEST_CASE("cuda queues: every two nodes that must not meet are in order, and every wait is needed for it") {
  const EmulatedGpu emulated;
  for (const ModelEntry& entry : models()) {
    CAPTURE(entry.name);
    PlanOptions options = planned_for(Device::cuda);
    const Plan two = training_plan(entry.name, options);
    check_waits(two);
    options.second_stream.reset();
    const Plan one = training_plan(entry.name, options);
    CHECK(one.peak_bytes() == two.peak_bytes());
    CHECK(waits_between_queues(one).empty());
  }
  for (const char* model : {"cnn_2block", "mobilenet_v2"}) {
    CAPTURE(model);
    PlanOptions half = planned_for(Device::cuda), limited = half, unshared = half;
    half.kernels.precision = Precision::bf16;
    limited.memory_limit = 1;
    unshared.share = false;
    for (const PlanOptions& options : {half, limited, unshared}) {
      check_waits(training_plan(model, options));
    }
  }
}

TEST_CASE("cuda queues: the same bits, however late each queue runs") {
  PlanOptions alone;
  alone.guard = true;
  for (const std::string model : {"cnn_2block", "mobilenet_v2"}) {
    CAPTURE(model);
    const int64_t size = model == "cnn_2block" ? 16 : 32;
    const EmulatedGpu emulated;
    const auto expected = trained(model, size, 4, alone);
    for (Queue late : {Queue::first, Queue::second}) {
      emulated.gpu->let_tarry(late);
      const auto actual = trained(model, size, 4, {});
      for (const auto& entry : expected) {
        INFO(entry.first);
        const AnyView one = entry.second.view(), other = actual.at(entry.first).view();
        CHECK(std::memcmp(one.data, other.data, static_cast<size_t>(one.bytes())) == 0);
      }
    }
  }
}

TEST_CASE("cuda queues: on the emulated GPU a wait that is missing shows") {
  // 1, copied from place to place: by the first queue, the second, the first.
  const auto copied = [](Queue late, bool first_is_awaited, bool second_is_awaited, bool recorded) {
    const EmulatedGpu emulated;
    emulated.gpu->let_tarry(late);
    const auto memory = allocate_on(emulated.gpu, 4 * sizeof(float), Reach::device);
    auto* const places = reinterpret_cast<float*>(memory.get());
    const float one = 1;
    emulated.gpu->copy_in(places, &one, sizeof one);
    const auto first = emulated.gpu->make_event(), second = emulated.gpu->make_event();
    const auto copy = [&](Queue queue, int from) {
      const cuda::Stream stream{emulated.gpu->stream(queue)};
      cuda::launch(stream, {"copy", dim3(1), dim3(1)}, copy_kernel, places + from, places + from + 1);
    };
    const auto work = [&] {
      copy(Queue::first, 0);
      first->mark(Queue::first);
      if (first_is_awaited) {
        first->hold(Queue::second);
      }
      copy(Queue::second, 1);
      second->mark(Queue::second);
      if (second_is_awaited) {
        second->hold(Queue::first);
      }
      copy(Queue::first, 2);
    };
    if (recorded) {
      const auto run = emulated.gpu->capture(work);
      CHECK(run->size() == 3);
      run->replay();
    } else {
      work();
    }
    float result = 0;
    emulated.gpu->copy_out(&result, places + 3, sizeof result);
    return result;
  };
  for (bool recorded : {false, true}) {
    CHECK(copied(Queue::first, true, true, recorded) == 1);
    CHECK(copied(Queue::second, true, true, recorded) == 1);
    CHECK(std::isnan(copied(Queue::first, false, true, recorded)));
    CHECK(std::isnan(copied(Queue::second, true, false, recorded)));
  }
}

TEST_CASE("cuda queues: of recorded runs the fastest is kept") {
  const EmulatedGpu emulated;
  int slow = 0, fast = 0;
  std::vector<std::unique_ptr<CapturedRun>> runs;
  runs.push_back(std::make_unique<Nap>(20, slow));
  runs.push_back(std::make_unique<Nap>(1, fast));
  FasterRun run(emulated.gpu, std::move(runs));
  CHECK(run.size() == 20);
  for (int i = 0; i < 12; ++i) {
    run.replay();
  }
  CHECK(slow == 4);
  CHECK(fast == 8);
  CHECK(run.chosen() == 1);
  CHECK(run.size() == 1);
}

}  // namespace fer::test
