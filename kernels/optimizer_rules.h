// The optimizers' formulas, for both devices. A rule is made once a step, of what is the same for all elements:
// Rule(params, learning_rate, step, product), steps counting from 1, `product` kept from step to step for nadam. Then
// rule(p, g, m, v) updates an element; `first` and `second` say which of m and v it uses.
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/optimizer.h"
#include "tensor/host_device.h"

namespace fer {

// The hyperparameters in the elements' type, and Adam's corrections in double.
template <class T>
struct OptimizerScalars {
  FER_HOST_DEVICE OptimizerScalars(const OptimizerParams& params, double learning_rate, double step)
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
  FER_HOST_DEVICE void average(T g, T& m, T& v) const {
    m = m * beta1 + one_minus_beta1 * g;
    v = v * beta2 + one_minus_beta2 * g * g;
  }

  T rate, decay, beta1, beta2, one_minus_beta1, one_minus_beta2, epsilon;
  double correction1, correction2;
};

template <class T>
struct SgdRule {
  static constexpr bool first = false, second = false;
  FER_HOST_DEVICE SgdRule(const OptimizerParams& params, double learning_rate, double, double&)
      : rate(static_cast<T>(learning_rate)), decay(static_cast<T>(params.weight_decay)) {}
  FER_HOST_DEVICE void operator()(T& p, T g, T&, T&) const { p -= rate * (g + decay * p); }

  T rate, decay;
};

// PyTorch's first buffer is the gradient itself, which a buffer of zeros gives too (there is no dampening).
template <class T>
struct MomentumRule {
  static constexpr bool first = true, second = false;
  FER_HOST_DEVICE MomentumRule(const OptimizerParams& params, double learning_rate, double, double&)
      : rate(static_cast<T>(learning_rate)),
        decay(static_cast<T>(params.weight_decay)),
        momentum(static_cast<T>(params.momentum)),
        gradient_share(params.nesterov ? T(1) : T(0)),
        buffer_share(params.nesterov ? momentum : T(1)) {}
  FER_HOST_DEVICE void operator()(T& p, T g, T& m, T&) const {
    g += decay * p;
    m = momentum * m + g;
    p -= rate * (gradient_share * g + buffer_share * m);
  }

  T rate, decay, momentum, gradient_share, buffer_share;
};

// adam and adamw.
template <class T>
struct AdamRule {
  static constexpr bool first = true, second = true;
  FER_HOST_DEVICE AdamRule(const OptimizerParams& params, double learning_rate, double step, double&)
      : s(params, learning_rate, step),
        keep(static_cast<T>(decoupled(params) ? 1 - learning_rate * params.weight_decay : 1.0)),
        decay(decoupled(params) ? T(0) : s.decay),
        step_size(static_cast<T>(learning_rate / s.correction1)),
        root(static_cast<T>(std::sqrt(s.correction2))) {}
  FER_HOST_DEVICE void operator()(T& p, T g, T& m, T& v) const {
    const T weight = p * keep;
    s.average(g + decay * p, m, v);
    p = weight - step_size * (m / (std::sqrt(v) / root + s.epsilon));
  }
  FER_HOST_DEVICE static bool decoupled(const OptimizerParams& params) { return params.kind == OptimizerKind::adamw; }

  OptimizerScalars<T> s;
  T keep, decay, step_size, root;
};

template <class T>
struct NadamRule {
  static constexpr bool first = true, second = true;
  FER_HOST_DEVICE NadamRule(const OptimizerParams& params, double learning_rate, double step, double& product)
      : s(params, learning_rate, step) {
    const double now = momentum(params, step), next = momentum(params, step + 1);
    product = (step == 1 ? 1.0 : product) * now;
    gradient_rate = static_cast<T>(learning_rate * (1 - now) / (1 - product));
    // The product up to the next step has one factor `now` too many in PyTorch before 2.0, and so here: its steps are
    // what the golden values pin down. Dozat's paper and later PyTorch have product * next.
    average_rate = static_cast<T>(learning_rate * next / (1 - product * now * next));
    correction = static_cast<T>(s.correction2);
  }
  FER_HOST_DEVICE void operator()(T& p, T g, T& m, T& v) const {
    g += s.decay * p;
    s.average(g, m, v);
    const T denominator = std::sqrt(v / correction) + s.epsilon;
    p = (p - gradient_rate * (g / denominator)) - average_rate * (m / denominator);
  }
  FER_HOST_DEVICE static double momentum(const OptimizerParams& params, double step) {
    return params.beta1 * (1 - 0.5 * std::pow(0.96, step * params.momentum_decay));
  }

  OptimizerScalars<T> s;
  T gradient_rate, average_rate, correction;
};

template <class T>
struct RadamRule {
  static constexpr bool first = true, second = true;
  FER_HOST_DEVICE RadamRule(const OptimizerParams& params, double learning_rate, double step, double&)
      : s(params, learning_rate, step), step_size(static_cast<T>(learning_rate / s.correction1)) {
    const double longest = 2 / (1 - params.beta2) - 1;
    const double length = longest - 2 * step * std::pow(params.beta2, step) / s.correction2;
    rectified = length > 5;
    if (rectified) {
      const double rectification =
          std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      factor = static_cast<T>(rectification * std::sqrt(s.correction2));
    }
  }
  FER_HOST_DEVICE void operator()(T& p, T g, T& m, T& v) const {
    s.average(g + s.decay * p, m, v);
    p -= step_size * m * (rectified ? factor / (std::sqrt(v) + s.epsilon) : T(1));
  }

  OptimizerScalars<T> s;
  T step_size, factor = 0;
  bool rectified;
};

template <class T>
struct RmspropRule {
  static constexpr bool first = false, second = true;
  FER_HOST_DEVICE RmspropRule(const OptimizerParams& params, double learning_rate, double, double&)
      : rate(static_cast<T>(learning_rate)),
        decay(static_cast<T>(params.weight_decay)),
        alpha(static_cast<T>(params.alpha)),
        one_minus_alpha(static_cast<T>(1 - params.alpha)),
        epsilon(static_cast<T>(params.epsilon)) {}
  FER_HOST_DEVICE void operator()(T& p, T g, T&, T& v) const {
    g += decay * p;
    v = v * alpha + one_minus_alpha * g * g;
    p -= rate * (g / (std::sqrt(v) + epsilon));
  }

  T rate, decay, alpha, one_minus_alpha, epsilon;
};

// Calls function(std::type_identity<the rule of params>{}).
template <class T, class Function>
void with_optimizer_rule(const OptimizerParams& params, Function&& function) {
  switch (params.kind) {
    case OptimizerKind::sgd:
      return params.momentum == 0 ? function(std::type_identity<SgdRule<T>>{})
                                  : function(std::type_identity<MomentumRule<T>>{});
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return function(std::type_identity<AdamRule<T>>{});
    case OptimizerKind::nadam:
      return function(std::type_identity<NadamRule<T>>{});
    case OptimizerKind::radam:
      return function(std::type_identity<RadamRule<T>>{});
    case OptimizerKind::rmsprop:
      return function(std::type_identity<RmspropRule<T>>{});
  }
}

}  // namespace fer
