// Dense 3x3 convolution of stride 1, and its gradients, by Winograd's F(m x m, 3x3), m = 4, 5 or 6: a quarter to a
// fifth of the products, on transformed tiles. In double: what the transforms lose is then far below rounding the
// result (tests/test_winograd.cpp bounds it), and what is left of the saving after halving the registers' width still
// beats products in floats. The gradient of the weights, which no other gradient is computed from, is made in floats
// where that is faster: its error is some 4e-6 of its size. The data gradient's would grow from layer to layer.
#pragma once

#include "kernels/conv2d.h"

namespace fer {

// Whether products are saved, with images x [N,H,W,I], weights w [O,3,3,I] and results y [N,OH,OW,O]. Depends on
// neither the number of images nor that of threads, and so do the results' bits.
bool is_winograd(const Conv2dParams& params, const Shape& w, const Shape& y);

PreparedConv2dForward prepare_winograd_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                               const Shape& y, const Conv2dEpilogue& epilogue);
PreparedConv2dBackwardData prepare_winograd_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                          const Shape& dx);
PreparedConv2dBackwardWeight prepare_winograd_backward_weight(const Conv2dParams& params, const Shape& x,
                                                              const Shape& dy, const Shape& dw, bool bias);

}  // namespace fer
