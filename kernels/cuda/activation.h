// kernels/activation.h on the GPU: T is float or bf16, arithmetic is in float. `reference`: one element a thread.
#pragma once

#include "kernels/activation.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// May run in place.
template <class T>
void activation_forward(Activation activation, View<const T> x, View<T> y, Stream stream, bool reference = false);
template <class T>
void activation_backward(Activation activation, View<const T> saved, View<const T> dy, View<T> dx, Stream stream,
                         bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
