#include "kernels/activation.h"

#include <limits>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;

}  // namespace

std::string_view name_of(Activation activation) {
  constexpr std::string_view names[] = {"identity", "relu", "relu6", "silu", "sigmoid", "tanh"};
  return names[static_cast<int>(activation)];
}

std::optional<ClampRange> clamp_range(Activation activation) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case Activation::identity:
      return ClampRange{-infinity, infinity};
    case Activation::relu:
      return ClampRange{0, infinity};
    case Activation::relu6:
      return ClampRange{0, 6};
    default:
      return std::nullopt;
  }
}

template <class T>
void activation_forward(Activation activation, View<const T> x, View<T> y) {
  with_activation(activation, [&](auto a) {
    parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        y.data[i] = activation_value<a.value>(x.data[i]);
      }
    });
  });
}

template <class T>
void activation_backward(Activation activation, View<const T> saved, View<const T> dy, View<T> dx) {
  with_activation(activation, [&](auto a) {
    parallel_for(dx.size(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        dx.data[i] = dy.data[i] * activation_slope_from_saved<a.value>(saved.data[i]);
      }
    });
  });
}

template void activation_forward(Activation, View<const float>, View<float>);
template void activation_forward(Activation, View<const double>, View<double>);
template void activation_backward(Activation, View<const float>, View<const float>, View<float>);
template void activation_backward(Activation, View<const double>, View<const double>, View<double>);

}  // namespace fer
