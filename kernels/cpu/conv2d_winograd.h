// Dense 3x3 and 5x5 convolutions of stride 1, and their gradients, by Winograd's F(2x2, 3x3), F(3x3, 3x3), F(4x4, 3x3)
// or F(2x2, 5x5): a quarter to a half of the products, on transformed tiles, in floats. Sums are made in short
// stretches and the points are chosen with care, so that what is lost is some 5e-7 of the results' size, less than a
// plain sum of floats loses (tests/test_winograd.cpp bounds it by 1e-6).
#pragma once

#include "kernels/conv2d.h"

namespace fer {

// Whether products are saved, with images x [N,H,W,I], weights w [O,kh,kw,I] and results y [N,OH,OW,O]. Depends on
// neither the number of images nor that of threads, and so do the results' bits.
bool is_winograd(const Conv2dParams& params, const Shape& w, const Shape& y);

PreparedConv2dForward prepare_winograd_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                               const Shape& y, const Conv2dEpilogue& epilogue, bool weights_stay);
PreparedConv2dBackwardData prepare_winograd_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                          const Shape& dx);
PreparedConv2dBackwardWeight prepare_winograd_backward_weight(const Conv2dParams& params, const Shape& x,
                                                              const Shape& dy, const Shape& dw, bool bias);

}  // namespace fer
