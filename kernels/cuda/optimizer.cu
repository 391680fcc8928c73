#include "kernels/cuda/optimizer.h"
#include "kernels/cuda/pack.h"
#include "kernels/optimizer_rules.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 256;
constexpr int pack = 4;              // elements of one thread; every entry begins with a pack of its own
constexpr int64_t rule_bytes = 256;  // more than the largest rule has

// What is the same for all elements of a step, computed once.
template <class Rule>
__global__ void prepare_kernel(OptimizerParams params, const float* learning_rate, double* state, bool advances,
                               Rule* rule) {
  const double step = state[0] + 1;
  double product = state[1];
  *rule = Rule(params, *learning_rate, step, product);
  if (advances) {
    state[0] = step;
    state[1] = product;
  }
}

// The entry that pack `number` is of: the last that does not begin after it.
__device__ const OptimizerEntry& entry_of(const OptimizerEntry* entries, int count, int64_t number) {
  int low = 0, high = count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (entries[middle].first_pack <= number) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return entries[low];
}

template <class Rule>
__device__ void update_element(const Rule& rule, const OptimizerEntry& entry, int64_t i) {
  float unused = 0;
  float& m = Rule::first ? entry.first_moment[i] : unused;
  float& v = Rule::second ? entry.second_moment[i] : unused;
  const float g = entry.gradient != nullptr ? entry.gradient[i] : static_cast<float>(entry.half_gradient[i]);
  rule(entry.parameter[i], g, m, v);
  if (entry.copy != nullptr) {
    entry.copy[i] = static_cast<bf16>(entry.parameter[i]);
  }
}

template <class Rule>
__device__ void update_pack(const Rule& rule, const OptimizerEntry& entry, int64_t begin) {
  float p[pack], g[pack], m[pack] = {}, v[pack] = {};
  load(entry.parameter + begin, p);
  if (entry.gradient != nullptr) {
    load(entry.gradient + begin, g);
  } else {
    load(entry.half_gradient + begin, g);
  }
  if constexpr (Rule::first) {
    load(entry.first_moment + begin, m);
  }
  if constexpr (Rule::second) {
    load(entry.second_moment + begin, v);
  }
#pragma unroll
  for (int i = 0; i < pack; ++i) {
    rule(p[i], g[i], m[i], v[i]);
  }
  store(entry.parameter + begin, p);
  if constexpr (Rule::first) {
    store(entry.first_moment + begin, m);
  }
  if constexpr (Rule::second) {
    store(entry.second_moment + begin, v);
  }
  if (entry.copy != nullptr) {
    store(entry.copy + begin, p);
  }
}

// May the entry's packs be moved whole? The same for all threads of an entry.
__device__ __forceinline__ bool is_aligned(const OptimizerEntry& entry) {
  const auto bits = [](const void* address) { return reinterpret_cast<uintptr_t>(address); };
  const uintptr_t wide = bits(entry.parameter) | bits(entry.gradient) | bits(entry.first_moment) |
                         bits(entry.second_moment) | bits(entry.half_gradient) << 1 | bits(entry.copy) << 1;
  return wide % (sizeof(float) * pack) == 0;
}

template <class Rule>
__global__ void __launch_bounds__(threads)
    update_kernel(const OptimizerEntry* entries, int count, int64_t packs, bool reference, const Rule* prepared) {
  const int64_t number = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (number >= packs) {
    return;
  }
  const Rule rule = *prepared;
  const OptimizerEntry entry = entry_of(entries, count, number);
  const int64_t begin = (number - entry.first_pack) * pack;
  if (!reference && begin + pack <= entry.size && is_aligned(entry)) {
    update_pack(rule, entry, begin);
    return;
  }
  for (int64_t i = begin; i < min(begin + pack, entry.size); ++i) {
    update_element(rule, entry, i);
  }
}

__global__ void __launch_bounds__(threads)
    copy_kernel(const OptimizerEntry* entries, int count, int64_t packs, bool reference) {
  const int64_t number = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (number >= packs) {
    return;
  }
  const OptimizerEntry entry = entry_of(entries, count, number);
  const int64_t begin = (number - entry.first_pack) * pack;
  if (!reference && begin + pack <= entry.size && is_aligned(entry)) {
    float p[pack];
    load(entry.parameter + begin, p);
    store(entry.copy + begin, p);
    return;
  }
  for (int64_t i = begin; i < min(begin + pack, entry.size); ++i) {
    entry.copy[i] = static_cast<bf16>(entry.parameter[i]);
  }
}

Grid grid_of(const char* name, int64_t packs) {
  return {name, dim3(static_cast<unsigned>(blocks_for<int64_t>(packs, threads))), dim3(threads)};
}

}  // namespace

int64_t number_packs(std::span<OptimizerEntry> entries) {
  int64_t packs = 0;
  for (OptimizerEntry& entry : entries) {
    entry.first_pack = packs;
    packs += blocks_for<int64_t>(entry.size, pack);
  }
  return packs;
}

int64_t optimizer_workspace_bytes() { return rule_bytes; }

void optimizer_update(const OptimizerParams& params, const float* learning_rate, double* state,
                      std::span<const OptimizerEntry> entries, int64_t packs, std::byte* workspace, Stream stream,
                      bool reference, bool advances) {
  with_optimizer_rule<float>(params, [&](auto type) {
    using Rule = typename decltype(type)::type;
    Rule* const rule = reinterpret_cast<Rule*>(workspace);
    static_assert(sizeof(Rule) <= rule_bytes);
    launch(stream, {"optimizer_prepare", dim3(1), dim3(1)}, prepare_kernel<Rule>, params, learning_rate, state,
           advances, rule);
    launch(stream, grid_of("optimizer", packs), update_kernel<Rule>, entries.data(), static_cast<int>(entries.size()),
           packs, reference, rule);
  });
}

void copy_parameters(std::span<const OptimizerEntry> entries, int64_t packs, Stream stream, bool reference) {
  launch(stream, grid_of("copy_parameters", packs), copy_kernel, entries.data(), static_cast<int>(entries.size()),
         packs, reference);
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
