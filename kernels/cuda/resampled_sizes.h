// What kernels that resample images are told.
#pragma once

#include "kernels/cuda/channels.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

struct ResampledSizes {
  int images, height, width, channels;  // of x
  int out_height, out_width;
};

template <class X, class Y>
ResampledSizes resampled_sizes(const View<X>& x, const View<Y>& y) {
  const auto i = [](int64_t extent) { return static_cast<int>(extent); };
  return {i(x[0]), i(x[1]), i(x[2]), i(x[3]), i(y[1]), i(y[2])};
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
