// Images times one factor for each sample and channel: the gate of squeeze-excite (Hu et al., 2018).
#pragma once

#include <cstddef>

#include "tensor/view.h"

namespace fer {

// x [N,H,W,C], s [N,C] -> y = x s. Overwrites y, which may be x.
template <class T>
void scale_channels_forward(View<const T> x, View<const T> s, View<T> y);

// dx = dy s, ds = sum over pixels of dy x, in one pass; either may be null. Overwrites; dx may be dy.
// `workspace` has scale_channels_workspace_bytes(C) bytes.
int64_t scale_channels_workspace_bytes(int64_t channels);
template <class T>
void scale_channels_backward(View<const T> dy, View<const T> x, View<const T> s, View<T> dx, View<T> ds,
                             std::byte* workspace);

}  // namespace fer
