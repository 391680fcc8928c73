// kernels/dropout.h on the GPU, for float and bf16: the same numbers as on the CPU.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "kernels/dropout.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// `step` is in device memory. `reference`: one element a thread, each drawing its whole Philox block.
template <class T>
void dropout_forward(const DropoutParams& params, const StepContext* step, View<const T> x, View<T> y, Stream stream,
                     bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
