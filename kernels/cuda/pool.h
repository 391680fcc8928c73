// kernels/pool.h on the GPU: all images are float, or all bf16. `reference`: one channel a thread.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "kernels/pool.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void max_pool_forward(const PoolParams& params, View<const T> x, View<T> y, View<uint8_t> argmax, Stream stream,
                      bool reference = false);
template <class T>
void max_pool_backward(const PoolParams& params, View<const uint8_t> argmax, View<const T> dy, View<T> dx,
                       Stream stream, bool reference = false);

template <class T>
void average_pool_forward(const PoolParams& params, View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void average_pool_backward(const PoolParams& params, View<const T> dy, View<T> dx, Stream stream,
                           bool reference = false);

// A block goes over the pixels of one image.
template <class T>
void global_average_pool_forward(View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void global_average_pool_backward(View<const T> dy, View<T> dx, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
