// kernels/concat.h on the GPU, for float and bf16.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void copy_channels(View<const T> x, int64_t from, View<T> y, int64_t to, int64_t count, Stream stream,
                   bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
