// Maximum, average and global average pooling on NHWC images. All outputs are overwritten.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv2d.h"
#include "tensor/view.h"

namespace fer {

struct PoolParams {
  int64_t kernel = 2;
  int64_t stride = 2;
  Padding padding = {};
  bool operator==(const PoolParams&) const = default;
};

// x [N,H,W,C] -> y [N,OH,OW,C]; argmax (u8, like y; null when not wanted) is the place of the maximum in its window,
// row * kernel + column, which is all that the gradient needs. Of equal elements the first counts, and NaN counts as
// the largest, as in PyTorch. `reference`: the plain loop also where there is a faster one.
template <class T>
void max_pool_forward(const PoolParams& params, View<const T> x, View<T> y, View<uint8_t> argmax, bool reference);
template <class T>
void max_pool_backward(const PoolParams& params, View<const uint8_t> argmax, View<const T> dy, View<T> dx,
                       bool reference);

// Means over windows; no padding.
template <class T>
void average_pool_forward(const PoolParams& params, View<const T> x, View<T> y);
template <class T>
void average_pool_backward(const PoolParams& params, View<const T> dy, View<T> dx);

// x [N,H,W,C] -> y [N,C], added up in double. `workspace` has global_average_pool_workspace_bytes(C) bytes.
int64_t global_average_pool_workspace_bytes(int64_t channels);
template <class T>
void global_average_pool_forward(View<const T> x, View<T> y, std::byte* workspace);
template <class T>
void global_average_pool_backward(View<const T> dy, View<T> dx);

}  // namespace fer
