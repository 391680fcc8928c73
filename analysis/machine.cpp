#include "analysis/machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "autograd/executor.h"
#include "autograd/ops.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Twelve independent chains of eight lanes keep both multiply-add units of a core busy.
constexpr int chains = 12;
constexpr int lanes = 8;
typedef float Lane __attribute__((vector_size(lanes * sizeof(float))));

float multiply_add_chains(int64_t rounds) {
  Lane sums[chains];
  for (int c = 0; c < chains; ++c) {
    sums[c] = Lane{} + static_cast<float>(c);
  }
  const Lane factor = Lane{} + 0.999f;
  const Lane term = Lane{} + 0.001f;
  for (int64_t round = 0; round < rounds; ++round) {
    for (int c = 0; c < chains; ++c) {
      sums[c] = sums[c] * factor + term;
    }
  }
  float total = 0;
  for (const Lane& sum : sums) {
    total += sum[0] + sum[lanes - 1];
  }
  return total;
}

}  // namespace

double MachineLimits::least_seconds(const Cost& cost) const {
  return std::max(static_cast<double>(cost.done_flops()) / flops_per_second,
                  static_cast<double>(cost.bytes) / bytes_per_second);
}

MachineLimits measure_machine() {
  MachineLimits limits;
  const int threads = thread_count();
  constexpr int64_t rounds = 1 << 20;
  constexpr int tries = 5;
  std::vector<float> kept(static_cast<size_t>(threads));
  for (int attempt = 0; attempt < tries; ++attempt) {
    const auto start = Clock::now();
    parallel_parts(threads, 1,
                   [&](int64_t, int64_t, int part) { kept[static_cast<size_t>(part)] = multiply_add_chains(rounds); });
    const double operations = 2.0 * chains * lanes * static_cast<double>(rounds) * threads;
    limits.flops_per_second = std::max(limits.flops_per_second, operations / seconds_since(start));
  }
  // A volatile read of the sums keeps the loop from being optimised away.
  volatile float sink = *std::max_element(kept.begin(), kept.end());
  static_cast<void>(sink);

  constexpr int64_t bytes = 64 << 20;
  const Block from(bytes), to(bytes);
  for (int attempt = 0; attempt < tries; ++attempt) {
    const auto start = Clock::now();
    parallel_for(bytes, 1 << 20, [&](int64_t begin, int64_t end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<size_t>(end - begin));
    });
    limits.bytes_per_second =
        std::max(limits.bytes_per_second, 2.0 * static_cast<double>(bytes) / seconds_since(start));
  }
  return limits;
}

MachineLimits measure_gpu(Precision precision, int64_t side) {
  Graph graph;
  const ValueType matrix{DType::f32, {side, side}};
  const Value a = constant(graph, matrix, 1), b = constant(graph, matrix, 1);
  const Value product = linear(a, b, {}), copy = scale(a, 2);
  PlanOptions options;
  options.kernels.precision = precision;
  Executor executor(make_plan(graph, std::vector{product, copy}, planned_for(Device::cuda, options)), Device::cuda,
                    std::make_shared<Variables>(0));
  MachineLimits limits;
  constexpr int tries = 5;
  for (int attempt = 0; attempt < tries; ++attempt) {
    std::vector<double> seconds;
    executor.run({}, &seconds);
    for (size_t i = 0; i < seconds.size(); ++i) {
      const PlannedNode& node = executor.plan().nodes()[i];
      if (node.operation->name() == "linear") {
        limits.flops_per_second = std::max(limits.flops_per_second, static_cast<double>(node.cost.flops) / seconds[i]);
      } else if (node.operation->name() == "scale") {
        limits.bytes_per_second = std::max(limits.bytes_per_second, static_cast<double>(node.cost.bytes) / seconds[i]);
      }
    }
  }
  return limits;
}

MachineLimits measure_limits(Device device, Precision precision) {
  return device == Device::cuda ? measure_gpu(precision) : measure_machine();
}

}  // namespace fer
