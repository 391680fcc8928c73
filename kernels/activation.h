// Elementwise activations and their derivatives.
#pragma once

#include <optional>
#include <string_view>

#include "tensor/host_device.h"
#include "tensor/view.h"

namespace fer {

enum class Activation { identity, relu, relu6, silu, sigmoid, tanh };

std::string_view name_of(Activation activation);

// y = f(x). May run in place (y.data == x.data).
template <class T>
void activation_forward(Activation activation, View<const T> x, View<T> y);

// dx = dy f'. `saved` is x for silu and y for the others (their derivative follows from the result, so that x need
// not be kept). Overwrites dx; may run in place on dy.
template <class T>
void activation_backward(Activation activation, View<const T> saved, View<const T> dy, View<T> dx);

// For activations that only clamp (identity, relu, relu6): to what.
struct ClampRange {
  float low, high;
};
std::optional<ClampRange> clamp_range(Activation activation);

// f(x) and f'(x) of one element, both from x: what fused kernels call.
template <Activation activation, class T>
FER_HOST_DEVICE T activation_value(T x);
template <Activation activation, class T>
FER_HOST_DEVICE T activation_slope(T x);

}  // namespace fer

#include "kernels/activation_inline.h"
