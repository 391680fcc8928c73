// kernels/random_uniform.h on the GPU, for float and bf16: the same numbers as on the CPU.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "kernels/random_uniform.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// `step` is in device memory.
template <class T>
void random_uniform_forward(const RandomUniformParams& params, const StepContext* step, View<T> y, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
