// Depthwise convolution on NHWC images (one filter a channel) and its gradients.
#pragma once

#include <cstddef>

#include "kernels/conv2d.h"
#include "tensor/view.h"

namespace fer {

// x [N,H,W,C], w [kh,kw,C], b [C] or null, y [N,OH,OW,C]. All overwrite. `activation`: one that clamp_range() knows.
template <class T>
void depthwise_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y,
                       Activation activation = Activation::identity);

// `workspace`: as many bytes as w has.
template <class T>
void depthwise_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx,
                             std::byte* workspace);

// `workspace`: depthwise_weight_workspace. The sums of each thread's rows are combined in order.
template <class T>
void depthwise_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw,
                               std::byte* workspace);

// Bytes, with as many threads as there are now, for weights of `weight_bytes`.
int64_t depthwise_weight_workspace(int64_t weight_bytes);

// The same by plain loops: the reference.
template <class T>
void depthwise_forward_plain(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y);
template <class T>
void depthwise_backward_data_plain(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx);
template <class T>
void depthwise_backward_weight_plain(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw);

}  // namespace fer
