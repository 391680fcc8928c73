// Arithmetic element by element. All overwrite; the output may be any input of its size.
#pragma once

#include <cstddef>

#include "tensor/view.h"

namespace fer {

template <class T>
void add_forward(View<const T> a, View<const T> b, View<T> y);
template <class T>
void multiply_forward(View<const T> a, View<const T> b, View<T> y);
template <class T>
void scale_forward(double factor, View<const T> x, View<T> y);

// -1, 0 or 1; NaN stays NaN.
template <class T>
void sign_forward(View<const T> x, View<T> y);

// NaN stays NaN.
template <class T>
void clamp_forward(double low, double high, View<const T> x, View<T> y);

// dx = dy where low <= x <= high, else 0.
template <class T>
void clamp_backward(double low, double high, View<const T> x, View<const T> dy, View<T> dx);

// y = clamp(x + epsilon sign(g), low, high): a step of the fast gradient sign method (Goodfellow et al., 2015).
template <class T>
void sign_step(double epsilon, double low, double high, View<const T> x, View<const T> g, View<T> y);

// y = x + epsilon sign(g), projected to [origin - radius, origin + radius] and then to [0, 1]: a step of projected
// gradient descent (Madry et al., 2018). From x = origin with radius = epsilon it is sign_step to the bit.
template <class T>
void ball_step(double epsilon, double radius, View<const T> x, View<const T> origin, View<const T> g, View<T> y);

// y = the sum of x, a scalar, added up in double. `workspace` has sum_workspace_bytes() bytes.
int64_t sum_workspace_bytes();
template <class T>
void sum_forward(View<const T> x, View<T> y, std::byte* workspace);

// Every element becomes `value`. Also for u8, i32 and i64.
template <class T>
void fill(T value, View<T> y);

}  // namespace fer
