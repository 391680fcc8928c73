#include "kernels/optimizer.h"

#include <algorithm>
#include <iterator>

#include "kernels/cpu/lanes.h"
#include "kernels/optimizer_rules.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;
constexpr int64_t piece_size = 512;  // elements that are updated before they are stored
constexpr std::string_view names[] = {"sgd", "adam", "adamw", "nadam", "radam", "rmsprop"};

// Calls rule(p, g, m, v) for every element of every tensor; m or v are dummies where not kept.
template <class T, bool first, bool second, class Rule>
void for_each_element(std::span<const int64_t> offsets, const OptimizerTensors& tensors, Rule rule) {
  parallel_for(offsets.back(), grain, [&](int64_t begin, int64_t end) {
    auto tensor = static_cast<size_t>(std::upper_bound(offsets.begin(), offsets.end(), begin) - offsets.begin() - 1);
    for (; begin < end; ++tensor) {
      const int64_t from = begin - offsets[tensor];
      const int64_t count = std::min(end, offsets[tensor + 1]) - begin;
      T* p = static_cast<T*>(tensors.parameters[tensor].data) + from;
      const T* g = static_cast<const T*>(tensors.gradients[tensor].data) + from;
      T* m = first ? static_cast<T*>(tensors.first_moments[tensor].data) + from : nullptr;
      T* v = second ? static_cast<T*>(tensors.second_moments[tensor].data) + from : nullptr;
      for (int64_t piece = 0; piece < count; piece += piece_size) {
        const int64_t length = std::min(piece_size, count - piece);
        alignas(32) T updated[piece_size];
#pragma omp simd
        for (int64_t i = 0; i < length; ++i) {
          T no_moment = 0;
          T& m_i = first ? m[piece + i] : no_moment;
          T& v_i = second ? v[piece + i] : no_moment;
          updated[i] = p[piece + i];
          rule(updated[i], g[piece + i], m_i, v_i);
        }
        stream(updated, length, p + piece);  // every thread has read the parameters
      }
      begin += count;
    }
    finish_streaming();
  });
}

}  // namespace

std::string name_of(OptimizerKind kind) { return std::string(names[static_cast<int>(kind)]); }

OptimizerKind parse_optimizer(std::string_view name) {
  std::string known;
  for (size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == name) {
      return static_cast<OptimizerKind>(i);
    }
    known += (i ? ", " : "") + std::string(names[i]);
  }
  fail("optimizer: no '", name, "'; there are ", known);
}

bool keeps_first_moment(const OptimizerParams& params) {
  return params.kind == OptimizerKind::sgd ? params.momentum != 0 : params.kind != OptimizerKind::rmsprop;
}

bool keeps_second_moment(const OptimizerParams& params) { return params.kind != OptimizerKind::sgd; }

std::vector<int64_t> optimizer_offsets(std::span<const int64_t> sizes) {
  std::vector<int64_t> offsets{0};
  for (int64_t size : sizes) {
    offsets.push_back(offsets.back() + size);
  }
  return offsets;
}

template <class T>
void optimizer_update(const OptimizerParams& params, double learning_rate, View<double> state,
                      std::span<const int64_t> offsets, const OptimizerTensors& tensors, bool advances) {
  const double step = state.data[0] + 1;
  double product = state.data[1];
  with_optimizer_rule<T>(params, [&](auto type) {
    using Rule = typename decltype(type)::type;
    const Rule rule(params, learning_rate, step, product);
    for_each_element<T, Rule::first, Rule::second>(offsets, tensors, rule);
  });
  if (advances) {
    state.data[0] = step;
    state.data[1] = product;
  }
}

template void optimizer_update<float>(const OptimizerParams&, double, View<double>, std::span<const int64_t>,
                                      const OptimizerTensors&, bool);
template void optimizer_update<double>(const OptimizerParams&, double, View<double>, std::span<const int64_t>,
                                       const OptimizerTensors&, bool);

}  // namespace fer
