// Dense convolution forward by register tiles: 6 output pixels x 16 output channels, in AVX2.
#pragma once

#include "kernels/conv2d.h"

namespace fer {

// Windows of several pixels, and of more channels than a photograph has: those sums are short. Sums of 16 products are
// added up in double: an error below that of rounding the inputs, which keeps the signs (of a ReLU, of a maximum) that
// decide a gradient; and the same bits on every machine.
bool is_tiled(const Shape& w);

PreparedConv2dForward prepare_tiled_forward(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y,
                                            const Conv2dEpilogue& epilogue, bool weights_stay);

}  // namespace fer
