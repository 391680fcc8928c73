// kernels/channel_sum.h on the GPU: x is float or bf16, y is float.
#pragma once

#include <cstddef>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// Sums of parts of the rows in float, then of the parts in double. `workspace`: channel_sum_workspace(C).
int64_t channel_sum_workspace(int64_t channels);
template <class T>
void channel_sum(View<const T> x, View<float> y, std::byte* workspace, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
