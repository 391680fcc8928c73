// kernels/grid_sample.h on the GPU: x, y, dy and dx are float or bf16, theta and dtheta float.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// `reference`: one channel a thread.
template <class T>
void affine_grid_sample_forward(View<const T> x, View<const float> theta, View<T> y, Stream stream,
                                bool reference = false);

// Each pixel of dx gathers from the output pixels that theta maps near it, in order; `reference` looks at all of them.
// Either of dx and dtheta may be null.
template <class T>
void affine_grid_sample_backward(View<const T> x, View<const float> theta, View<const T> dy, View<T> dx,
                                 View<float> dtheta, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
