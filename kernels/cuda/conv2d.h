// kernels/conv2d.h on the GPU by plain loops, one result a thread: the reference, and what runs where cuDNN does not
// (products.h). x, w, y and their gradients are float, or all bf16; the bias is float and its gradient a channel_sum.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void conv2d_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const float> b, View<T> y,
                    Stream stream);
template <class T>
void conv2d_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx, Stream stream);
template <class T>
void conv2d_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
