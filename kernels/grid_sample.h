// Affine sampling grid and bilinear sampling in one pass (Jaderberg et al., "Spatial transformer networks", 2015).
#pragma once

#include "tensor/view.h"

namespace fer {

// y [N,h,w,C] from x [N,H,W,C] and theta [N,2,3]: PyTorch's affine_grid then grid_sample, align_corners false,
// bilinear, zeros outside. Output pixel (i, j) has coordinates ((2j + 1) / w - 1, (2i + 1) / h - 1); theta maps (x, y,
// 1) of it to input coordinates, in which [-1, 1] runs from edge to edge of the image. Overwrites y.
template <class T>
void affine_grid_sample_forward(View<const T> x, View<const T> theta, View<T> y);

// Overwrites dx and dtheta; either may be null. Corners outside the image contribute to neither, those of weight zero
// do contribute to dtheta, as in PyTorch.
template <class T>
void affine_grid_sample_backward(View<const T> x, View<const T> theta, View<const T> dy, View<T> dx, View<T> dtheta);

}  // namespace fer
