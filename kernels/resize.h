// Bilinear resizing of images.
#pragma once

#include "tensor/view.h"

namespace fer {

// y [N,h,w,C] from x [N,H,W,C]: output pixel i reads the input at (i + 1/2) H / h - 1/2, not below 0, between its two
// neighbours; no antialiasing. PyTorch's interpolate(mode="bilinear", align_corners=False). Overwrites.
template <class T>
void resize_bilinear_forward(View<const T> x, View<T> y);

// Overwrites dx.
template <class T>
void resize_bilinear_backward(View<const T> dy, View<T> dx);

}  // namespace fer
