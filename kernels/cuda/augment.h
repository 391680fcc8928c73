// kernels/augment.h on the GPU, for float and bf16: the same draws as on the CPU.
#pragma once

#include "kernels/augment.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// One block an image. `step` is in device memory; the numbers are Philox(seed, stream_number, step).
template <class T>
void augment_forward(const AugmentParams& params, const StepContext* step, uint32_t stream_number, View<const T> x,
                     View<T> y, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
