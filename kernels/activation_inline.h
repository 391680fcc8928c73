// Bodies of activation_value and activation_slope.
#pragma once

#include <cmath>

#include "kernels/activation.h"
#include "kernels/exponential.h"

namespace fer {

// NaN passes through relu and relu6 as it does in PyTorch: comparisons are written so that it does.
template <Activation activation, class T>
FER_HOST_DEVICE inline T activation_value(T x) {
  if constexpr (activation == Activation::relu) {
    return x < T(0) ? T(0) : x;
  } else if constexpr (activation == Activation::relu6) {
    return x < T(0) ? T(0) : (x > T(6) ? T(6) : x);
  } else if constexpr (activation == Activation::silu) {
    return x / (T(1) + exponential(-x));
  } else if constexpr (activation == Activation::sigmoid) {
    return T(1) / (T(1) + exponential(-x));
  } else if constexpr (activation == Activation::tanh) {
    return std::tanh(x);
  } else {
    return x;
  }
}

template <Activation activation, class T>
FER_HOST_DEVICE inline T activation_slope(T x) {
  if constexpr (activation == Activation::relu) {
    return x > T(0) ? T(1) : T(0);
  } else if constexpr (activation == Activation::relu6) {
    return x > T(0) && x < T(6) ? T(1) : T(0);
  } else if constexpr (activation == Activation::silu) {
    const T s = T(1) / (T(1) + exponential(-x));
    return s * (T(1) + x * (T(1) - s));
  } else if constexpr (activation == Activation::sigmoid) {
    const T s = T(1) / (T(1) + exponential(-x));
    return s * (T(1) - s);
  } else if constexpr (activation == Activation::tanh) {
    const T t = std::tanh(x);
    return T(1) - t * t;
  } else {
    return T(1);
  }
}

// f' from what activation_backward is given: the result y, or x for silu.
template <Activation activation, class T>
FER_HOST_DEVICE inline T activation_slope_from_saved(T saved) {
  if constexpr (activation == Activation::sigmoid) {
    return saved * (T(1) - saved);
  } else if constexpr (activation == Activation::tanh) {
    return T(1) - saved * saved;
  } else {
    return activation_slope<activation>(saved);  // relu and relu6: the same from y as from x
  }
}

// Calls function(std::integral_constant<Activation, a>) for the run-time `activation`.
template <class Function>
decltype(auto) with_activation(Activation activation, Function&& function) {
  switch (activation) {
    case Activation::relu:
      return function(std::integral_constant<Activation, Activation::relu>{});
    case Activation::relu6:
      return function(std::integral_constant<Activation, Activation::relu6>{});
    case Activation::silu:
      return function(std::integral_constant<Activation, Activation::silu>{});
    case Activation::sigmoid:
      return function(std::integral_constant<Activation, Activation::sigmoid>{});
    case Activation::tanh:
      return function(std::integral_constant<Activation, Activation::tanh>{});
    case Activation::identity:
      break;
  }
  return function(std::integral_constant<Activation, Activation::identity>{});
}

}  // namespace fer
