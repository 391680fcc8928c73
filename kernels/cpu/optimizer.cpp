#include "kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;
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
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) {
        T no_moment = 0;
        T& m_i = first ? m[i] : no_moment;
        T& v_i = second ? v[i] : no_moment;
        rule(p[i], g[i], m_i, v_i);
      }
      begin += count;
    }
  });
}

// What changes from step to step, in double, and the hyperparameters in the elements' type.
template <class T>
struct Scalars {
  Scalars(const OptimizerParams& params, double learning_rate, double step)
      : rate(static_cast<T>(learning_rate)),
        decay(static_cast<T>(params.weight_decay)),
        beta1(static_cast<T>(params.beta1)),
        beta2(static_cast<T>(params.beta2)),
        one_minus_beta1(static_cast<T>(1 - params.beta1)),
        one_minus_beta2(static_cast<T>(1 - params.beta2)),
        epsilon(static_cast<T>(params.epsilon)),
        correction1(1 - std::pow(params.beta1, step)),
        correction2(1 - std::pow(params.beta2, step)) {}

  // Decays the running averages towards g and its square.
  void average(T g, T& m, T& v) const {
    m = m * beta1 + one_minus_beta1 * g;
    v = v * beta2 + one_minus_beta2 * g * g;
  }

  T rate, decay, beta1, beta2, one_minus_beta1, one_minus_beta2, epsilon;
  double correction1, correction2;
};

template <class T>
void sgd(const OptimizerParams& params, const Scalars<T>& s, std::span<const int64_t> offsets,
         const OptimizerTensors& tensors) {
  if (params.momentum == 0) {
    for_each_element<T, false, false>(offsets, tensors, [=](T& p, T g, T&, T&) { p -= s.rate * (g + s.decay * p); });
    return;
  }
  // PyTorch's first buffer is the gradient itself, which a buffer of zeros gives too (there is no dampening).
  const T momentum = static_cast<T>(params.momentum);
  const T gradient_share = params.nesterov ? T(1) : T(0);
  const T buffer_share = params.nesterov ? momentum : T(1);
  for_each_element<T, true, false>(offsets, tensors, [=](T& p, T g, T& m, T&) {
    g += s.decay * p;
    m = momentum * m + g;
    p -= s.rate * (gradient_share * g + buffer_share * m);
  });
}

template <class T>
void adam(const OptimizerParams& params, const Scalars<T>& s, double learning_rate, std::span<const int64_t> offsets,
          const OptimizerTensors& tensors) {
  const bool decoupled = params.kind == OptimizerKind::adamw;
  const T keep = static_cast<T>(decoupled ? 1 - learning_rate * params.weight_decay : 1.0);
  const T decay = decoupled ? T(0) : s.decay;
  const T step_size = static_cast<T>(learning_rate / s.correction1);
  const T root = static_cast<T>(std::sqrt(s.correction2));
  for_each_element<T, true, true>(offsets, tensors, [=](T& p, T g, T& m, T& v) {
    const T weight = p * keep;
    s.average(g + decay * p, m, v);
    p = weight - step_size * (m / (std::sqrt(v) / root + s.epsilon));
  });
}

template <class T>
void nadam(const OptimizerParams& params, const Scalars<T>& s, double learning_rate, double step, double& product,
           std::span<const int64_t> offsets, const OptimizerTensors& tensors) {
  const auto momentum = [&](double t) { return params.beta1 * (1 - 0.5 * std::pow(0.96, t * params.momentum_decay)); };
  const double now = momentum(step), next = momentum(step + 1);
  product = (step == 1 ? 1.0 : product) * now;
  const T gradient_rate = static_cast<T>(learning_rate * (1 - now) / (1 - product));
  // The product up to the next step has one factor `now` too many in PyTorch before 2.0, and so here: its steps are
  // what the golden values pin down. Dozat's paper and later PyTorch have product * next.
  const T average_rate = static_cast<T>(learning_rate * next / (1 - product * now * next));
  const T correction = static_cast<T>(s.correction2);
  for_each_element<T, true, true>(offsets, tensors, [=](T& p, T g, T& m, T& v) {
    g += s.decay * p;
    s.average(g, m, v);
    const T denominator = std::sqrt(v / correction) + s.epsilon;
    p = (p - gradient_rate * (g / denominator)) - average_rate * (m / denominator);
  });
}

template <class T>
void radam(const OptimizerParams& params, const Scalars<T>& s, double learning_rate, double step,
           std::span<const int64_t> offsets, const OptimizerTensors& tensors) {
  const double longest = 2 / (1 - params.beta2) - 1;
  const double length = longest - 2 * step * std::pow(params.beta2, step) / s.correction2;
  const T step_size = static_cast<T>(learning_rate / s.correction1);
  if (length > 5) {
    const double rectification =
        std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
    const T factor = static_cast<T>(rectification * std::sqrt(s.correction2));
    for_each_element<T, true, true>(offsets, tensors, [=](T& p, T g, T& m, T& v) {
      s.average(g + s.decay * p, m, v);
      p -= step_size * m * (factor / (std::sqrt(v) + s.epsilon));
    });
  } else {
    for_each_element<T, true, true>(offsets, tensors, [=](T& p, T g, T& m, T& v) {
      s.average(g + s.decay * p, m, v);
      p -= step_size * m;
    });
  }
}

template <class T>
void rmsprop(const OptimizerParams& params, const Scalars<T>& s, std::span<const int64_t> offsets,
             const OptimizerTensors& tensors) {
  const T alpha = static_cast<T>(params.alpha), one_minus_alpha = static_cast<T>(1 - params.alpha);
  for_each_element<T, false, true>(offsets, tensors, [=](T& p, T g, T&, T& v) {
    g += s.decay * p;
    v = v * alpha + one_minus_alpha * g * g;
    p -= s.rate * (g / (std::sqrt(v) + s.epsilon));
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
                      std::span<const int64_t> offsets, const OptimizerTensors& tensors) {
  const double step = state.data[0] + 1;
  state.data[0] = step;
  const Scalars<T> scalars(params, learning_rate, step);
  switch (params.kind) {
    case OptimizerKind::sgd:
      return sgd(params, scalars, offsets, tensors);
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return adam(params, scalars, learning_rate, offsets, tensors);
    case OptimizerKind::nadam:
      return nadam(params, scalars, learning_rate, step, state.data[1], offsets, tensors);
    case OptimizerKind::radam:
      return radam(params, scalars, learning_rate, step, offsets, tensors);
    case OptimizerKind::rmsprop:
      return rmsprop(params, scalars, offsets, tensors);
  }
}

template void optimizer_update<float>(const OptimizerParams&, double, View<double>, std::span<const int64_t>,
                                      const OptimizerTensors&);
template void optimizer_update<double>(const OptimizerParams&, double, View<double>, std::span<const int64_t>,
                                       const OptimizerTensors&);

}  // namespace fer
