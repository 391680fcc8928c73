// Moving and converting pixels: what stands before a network's first layer.
#pragma once

#include "tensor/view.h"

namespace fer {

// y = x / 255. Overwrites.
template <class T>
void decode_pixels(View<const uint8_t> x, View<T> y);

// y [N,...] row n = table [M,...] row indices[n], of any element type; zeros where the index is outside 0 … M-1.
void gather_rows(AnyView table, View<const int32_t> indices, AnyView y);

// y [..., channels] = x [..., 1]. Overwrites.
template <class T>
void replicate_channels_forward(View<const T> x, View<T> y);

// dx [..., 1] = sum of dy [..., channels] over channels. Overwrites.
template <class T>
void replicate_channels_backward(View<const T> dy, View<T> dx);

// y [N*M,H,W,C]: row n*M + m is image n of x [N,H,W,C] with P of its pixels replaced: pixels [N*M,P,2] are (row,
// column), values [N*M,P,C] what goes there; later ones win, those outside the image are ignored. P is pixels.size() /
// (2 N*M).
template <class T>
void expand_pixel_candidates(View<const T> x, View<const int32_t> pixels, View<const T> values, View<T> y);

// Row i of y [N*M,h',w',C] is the piece whose first pixel is to[i] (row, column; `to` [N*M,2]) of image i / M of
// x [N,H,W,C] on which windows[i] of [N*M,h,w,C] lies, its first pixel at from[i]. Zeros outside the image. Overwrites.
template <class T>
void patch_windows(View<const T> x, View<const T> windows, View<const int32_t> from, View<const int32_t> to, View<T> y);

}  // namespace fer
