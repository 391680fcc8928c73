// kernels/linear.h on the GPU by plain loops, one result a thread: the reference, and what runs where cuBLASLt does
// not (products.h). x, w, y and their gradients are float, or all bf16; the bias is float and its gradient a
// channel_sum.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void linear_forward(View<const T> x, View<const T> w, View<const float> b, View<T> y, Stream stream);
template <class T>
void linear_backward_data(View<const T> w, View<const T> dy, View<T> dx, Stream stream);
template <class T>
void linear_backward_weight(View<const T> x, View<const T> dy, View<T> dw, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
