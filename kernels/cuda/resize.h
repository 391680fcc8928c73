// kernels/resize.h on the GPU, for float and bf16. `reference`: one channel a thread.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void resize_bilinear_forward(View<const T> x, View<T> y, Stream stream, bool reference = false);

// Each pixel of dx gathers what it gave, so that nobody adds to what another wrote.
template <class T>
void resize_bilinear_backward(View<const T> dy, View<T> dx, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
