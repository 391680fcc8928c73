// Dense two-dimensional convolution on NHWC images, and its two gradients. Also the parameters depthwise shares.
#pragma once

#include <string_view>

#include "kernels/activation.h"
#include "kernels/prepared.h"
#include "tensor/view.h"

namespace fer {

struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const Padding&) const = default;
};

struct Conv2dParams {
  int64_t stride = 1;
  Padding padding = {};
};

// The same amount on all sides, as PyTorch pads.
Padding symmetric_padding(int64_t amount);

// TensorFlow's 'same': total max((ceil(in/stride) - 1) stride + kernel - in, 0), the smaller half first.
Padding same_padding(int64_t height, int64_t width, int64_t kernel, int64_t stride);

// Output extent of one dimension; throws naming `who` when the kernel is larger than the padded input.
int64_t window_extent(std::string_view who, int64_t in, int64_t before, int64_t after, int64_t kernel, int64_t stride);

// Plain loops, any scalar: the reference. x [N,H,W,I], w [O,kh,kw,I], b [O] or null, y [N,OH,OW,O]. All overwrite.
template <class T>
void conv2d_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y);
template <class T>
void conv2d_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx);
template <class T>  // db may be null: the bias' gradient is not wanted
void conv2d_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw, View<T> db);

// What becomes of a result before it is stored.
struct Conv2dEpilogue {
  bool add = false;                              // what y holds already is added to it
  Activation activation = Activation::identity;  // one that clamp_range() knows
  // Then (result - mean) factor + beta: b [4,O] are biases, means, factors and betas. Where has_finishing_kernel().
  bool normalise = false;
  // Then the largest of each 2x2, and y is [N,OH/2,OW/2,O]. Where has_pooling_kernel().
  bool pool = false;
};

// The same in f32, made ready for fixed shapes: by oneDNN, by matrix products, by register tiles or by Winograd's
// method (see cpu/conv2d_*.h). db of PreparedConv2dBackwardWeight may be null even when prepared with a bias.
using PreparedConv2dForward =
    Prepared<void(View<const float> x, View<const float> w, View<const float> b, View<float> y, std::byte* workspace)>;
using PreparedConv2dBackwardData =
    Prepared<void(View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace)>;
using PreparedConv2dBackwardWeight =
    Prepared<void(View<const float> x, View<const float> dy, View<float> dw, View<float> db, std::byte* workspace)>;
// `y`: its shape before pooling.
PreparedConv2dForward prepare_conv2d_forward(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y,
                                             bool bias, const Conv2dEpilogue& epilogue = {}, bool weights_stay = false);
PreparedConv2dBackwardData prepare_conv2d_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                        const Shape& dx);
PreparedConv2dBackwardWeight prepare_conv2d_backward_weight(const Conv2dParams& params, const Shape& x, const Shape& dy,
                                                            const Shape& dw, bool bias);

// Whether the prepared forward convolution of these can normalise; and pool.
bool has_finishing_kernel(const Conv2dParams& params, const Shape& w, const Shape& y);
bool has_pooling_kernel(const Conv2dParams& params, const Shape& w, const Shape& y);

}  // namespace fer
