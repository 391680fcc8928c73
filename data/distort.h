// Distortions of pictures.
#pragma once

#include "tensor/tensor.h"

namespace fer {

// Gaussian blur of u8 images [N,H,W,C], `kernel` odd, border mirrored without repeating the edge pixel (reflect-101).
// sigma 0 stands for 0.3 ((kernel - 1) / 2 - 1) + 0.8, which is 1.4 for kernel 7 (paper 004's cited code), with the
// rounded weights that OpenCV has for kernels up to 7.
Tensor gaussian_blur(const Tensor& images, int kernel, double sigma = 0);

}  // namespace fer
