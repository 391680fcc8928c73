// What the depthwise kernels are told, and which of them fits.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/cuda/channels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

struct DepthwiseShape {
  int images, height, width, channels;       // of x
  int out_height, out_width, rows, columns;  // of y and of the kernel
  int stride, top, left;
};

template <class X, class W, class Y>
DepthwiseShape depthwise_shape(const Conv2dParams& params, const View<X>& x, const View<W>& w, const View<Y>& y) {
  const auto i = [](int64_t extent) { return static_cast<int>(extent); };
  return {i(x[0]),
          i(x[1]),
          i(x[2]),
          i(x[3]),
          i(y[1]),
          i(y[2]),
          i(w[0]),
          i(w[1]),
          i(params.stride),
          i(params.padding.top),
          i(params.padding.left)};
}

constexpr int depthwise_width = 4;  // channels of one thread; more would not leave registers for a strip
constexpr int depthwise_strip = 4;  // neighbouring pixels of one row that one thread computes; a multiple of any stride
constexpr int depthwise_channels = 32 * depthwise_width;  // of one block, at most

// Calls function(kernel, stride) with constants; false when there is no fast path for the shape.
template <class Function>
bool with_depthwise_kernel(const DepthwiseShape& shape, Function&& function) {
  if (shape.rows != shape.columns || (shape.rows != 3 && shape.rows != 5) || shape.stride < 1 || shape.stride > 2) {
    return false;
  }
  const auto with_stride = [&](auto kernel) {
    if (shape.stride == 1) {
      function(kernel, std::integral_constant<int, 1>{});
    } else {
      function(kernel, std::integral_constant<int, 2>{});
    }
  };
  if (shape.rows == 3) {
    with_stride(std::integral_constant<int, 3>{});
  } else {
    with_stride(std::integral_constant<int, 5>{});
  }
  return true;
}

// Copies the weights [taps,C] of the block's channels to `shared` [taps][block's channels]; zeros beyond the last.
template <int taps, int width>
__device__ void load_weights(const float* w, int channels, float* shared) {
  const int first = block_channel(width), count = static_cast<int>(blockDim.x) * width;
  for (int i = thread_number(); i < taps * count; i += channel_threads) {
    const int channel = first + i % count;
    shared[i] = channel < channels ? w[i / count * channels + channel] : 0;
  }
  __syncthreads();
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
