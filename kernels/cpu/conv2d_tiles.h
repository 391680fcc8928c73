// Dense convolution forward by register tiles: 6 output pixels x 16 output channels, in AVX2.
#pragma once

#include "kernels/conv2d.h"

namespace fer {

// Windows of several pixels over enough channels to fill the loop. One rounding per 128 terms goes into a sum of sums:
// three to four times closer to the exact result than one long sum, which keeps the signs (of a ReLU, of a maximum)
// that decide a gradient; and the same bits on every machine.
bool is_tiled(const Shape& w);

PreparedConv2dForward prepare_tiled_forward(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y);

}  // namespace fer
