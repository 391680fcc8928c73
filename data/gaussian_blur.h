// Gaussian blur of pictures.
#pragma once

#include "tensor/tensor.h"

namespace fer {

// What lies outside a picture: its pixels mirrored without repeating the edge (OpenCV's reflect-101), or the edge
// repeated (scikit-image's nearest).
enum class BlurBorder { mirrored, repeated };

// Blurs images [N,H,W,C], u8 (rounded) or f32, with a kernel of odd extent. sigma 0 stands for
// 0.3 ((kernel - 1) / 2 - 1) + 0.8, which is 1.4 for kernel 7 (paper 004's cited code), with the rounded weights that
// OpenCV has for kernels up to 7.
Tensor gaussian_blur(const Tensor& images, int kernel, double sigma = 0, BlurBorder border = BlurBorder::mirrored);

}  // namespace fer
