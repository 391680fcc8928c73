// kernels/scale_channels.h on the GPU: all views are float, or all bf16. `reference`: one channel a thread.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// y may be x.
template <class T>
void scale_channels_forward(View<const T> x, View<const T> s, View<T> y, Stream stream, bool reference = false);

// One kernel: a block goes over the pixels of one image. Either of dx and ds may be null; dx may be dy.
template <class T>
void scale_channels_backward(View<const T> dy, View<const T> x, View<const T> s, View<T> dx, View<T> ds, Stream stream,
                             bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
