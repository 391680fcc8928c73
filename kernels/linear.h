// Dense layers on rows of features: y = x w^T + b, and its gradients. The bias' gradient is a channel_sum.
#pragma once

#include "kernels/prepared.h"
#include "tensor/view.h"

namespace fer {

// Plain loops, any scalar: the reference. x [N,in], w [out,in], b [out] or null, y [N,out]. All overwrite.
template <class T>
void linear_forward(View<const T> x, View<const T> w, View<const T> b, View<T> y);
template <class T>
void linear_backward_data(View<const T> w, View<const T> dy, View<T> dx);
template <class T>
void linear_backward_weight(View<const T> x, View<const T> dy, View<T> dw);

// The same in f32 as oneDNN's matrix products, for N rows.
using PreparedLinearForward =
    Prepared<void(View<const float> x, View<const float> w, View<const float> b, View<float> y, std::byte* workspace)>;
using PreparedLinearBackwardData =
    Prepared<void(View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace)>;
using PreparedLinearBackwardWeight =
    Prepared<void(View<const float> x, View<const float> dy, View<float> dw, std::byte* workspace)>;
PreparedLinearForward prepare_linear_forward(int64_t rows, int64_t in, int64_t out, bool bias);
PreparedLinearBackwardData prepare_linear_backward_data(int64_t rows, int64_t in, int64_t out);
PreparedLinearBackwardWeight prepare_linear_backward_weight(int64_t rows, int64_t in, int64_t out);

}  // namespace fer
