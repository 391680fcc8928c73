// kernels/elementwise.h on the GPU: T is float or bf16, arithmetic is in float. All overwrite; the output may be any
// input of its size. `reference`: one element a thread, else as many as one access moves.
#pragma once

#include <cstddef>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void add_forward(View<const T> a, View<const T> b, View<T> y, Stream stream, bool reference = false);
template <class T>
void multiply_forward(View<const T> a, View<const T> b, View<T> y, Stream stream, bool reference = false);
template <class T>
void scale_forward(double factor, View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void sign_forward(View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void clamp_forward(double low, double high, View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void clamp_backward(double low, double high, View<const T> x, View<const T> dy, View<T> dx, Stream stream,
                    bool reference = false);
template <class T>
void sign_step(double epsilon, double low, double high, View<const T> x, View<const T> g, View<T> y, Stream stream,
               bool reference = false);
template <class T>
void ball_step(double epsilon, double radius, View<const T> x, View<const T> origin, View<const T> g, View<T> y,
               Stream stream, bool reference = false);

// sign_step for many epsilons, read on the device, from one gradient: y [E,...] for x and g [...].
template <class T>
void sign_steps(View<const float> epsilons, double low, double high, View<const T> x, View<const T> g, View<T> y,
                Stream stream);

// `workspace`: sum_workspace_bytes(). Adds in double, in a fixed order.
int64_t sum_workspace_bytes();
template <class T>
void sum_forward(View<const T> x, View<T> y, std::byte* workspace, Stream stream);

// Every element becomes `value`. Also for u8, i32 and i64.
template <class T>
void fill(T value, View<T> y, Stream stream);

// Every element of y becomes the one element of x.
template <class T>
void broadcast(View<const T> x, View<T> y, Stream stream);

// y = x in another type: float from bf16, or bf16 from float (to the nearest, ties to even).
template <class From, class To>
void convert(View<const From> x, View<To> y, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
