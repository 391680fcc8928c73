// Convolutions as matrix products, for the shapes where that beats oneDNN's direct kernels.
#pragma once

#include "kernels/conv2d.h"

namespace fer {

// 1x1 without padding. Where it has a stride, the pixels it reads are packed together first.
bool is_pointwise_product(const Conv2dParams& params, const Shape& w);

PreparedConv2dForward prepare_pointwise_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                                const Shape& y, bool bias, const Conv2dEpilogue& epilogue,
                                                bool weights_stay);
PreparedConv2dBackwardData prepare_pointwise_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                           const Shape& dx);
PreparedConv2dBackwardWeight prepare_pointwise_backward_weight(const Conv2dParams& params, const Shape& x,
                                                               const Shape& dy, const Shape& dw, bool bias);

// The weight gradient where maps are a few pixels: windows laid out in rows, then one product. oneDNN's own spends its
// time on the edges, and such maps are all edge.
bool is_small_map(const Shape& w, const Shape& dy);

PreparedConv2dBackwardWeight prepare_small_map_backward_weight(const Conv2dParams& params, const Shape& dy,
                                                               const Shape& dw, bool bias);

// The data gradient of images with few channels (what an attack asks for): each output pixel's contribution to its
// window by a product, then added up. oneDNN's own fills registers with channels that are not there.
bool has_few_channels(const Shape& w);

PreparedConv2dBackwardData prepare_few_channels_backward_data(const Conv2dParams& params, const Shape& w,
                                                              const Shape& dy);

// Their weight gradient with a stride of 1, for multiples of 32 output channels: the windows of a few rows laid out at
// a time, in the cache, and multiplied by the cotangents.
bool is_window_product(const Conv2dParams& params, const Shape& w);

PreparedConv2dBackwardWeight prepare_window_product_backward_weight(const Padding& padding, const Shape& x,
                                                                    const Shape& dy, const Shape& dw);

}  // namespace fer
