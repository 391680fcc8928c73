// What the pooling kernels are told.
#pragma once

#include "kernels/cuda/channels.h"
#include "kernels/pool.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

struct PoolShape {
  int images, height, width, channels;  // of x
  int out_height, out_width;
  int kernel, stride, top, left;

  __device__ int in_rows() const { return images * height * width; }
  __device__ int out_rows() const { return images * out_height * out_width; }
};

template <class X, class Y>
PoolShape pool_shape(const PoolParams& params, const View<X>& x, const View<Y>& y) {
  const auto i = [](int64_t extent) { return static_cast<int>(extent); };
  return {i(x[0]),
          i(x[1]),
          i(x[2]),
          i(x[3]),
          i(y[1]),
          i(y[2]),
          i(params.kernel),
          i(params.stride),
          i(params.padding.top),
          i(params.padding.left)};
}

// Calls body(output pixel, place in its window) for every window over input pixel `row`, in order.
template <class Body>
__device__ __forceinline__ void for_windows_over(const PoolShape& shape, int row, Body body) {
  const int image = row / (shape.height * shape.width);
  const int padded_row = row / shape.width % shape.height + shape.top, padded_column = row % shape.width + shape.left;
  for (int i = 0; i < shape.kernel; ++i) {
    const int out_row = (padded_row - i) / shape.stride;
    if (padded_row < i || out_row * shape.stride != padded_row - i || out_row >= shape.out_height) {
      continue;
    }
    for (int j = 0; j < shape.kernel; ++j) {
      const int out_column = (padded_column - j) / shape.stride;
      if (padded_column >= j && out_column * shape.stride == padded_column - j && out_column < shape.out_width) {
        body((image * shape.out_height + out_row) * shape.out_width + out_column, i * shape.kernel + j);
      }
    }
  }
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
