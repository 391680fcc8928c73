// Adding a bias to what a product has left.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// y[..., c] += bias[c].
template <class T>
void add_bias(View<const float> bias, View<T> y, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
