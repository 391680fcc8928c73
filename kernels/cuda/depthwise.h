// kernels/depthwise.h on the GPU: x, y, dy and dx are float or bf16; w, b and dw are float. All overwrite. Kernels of
// 3x3 and 5x5 with strides 1 and 2 are fast; others, and `reference`, run by the definition, one output a thread.
#pragma once

#include <cstddef>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "kernels/depthwise.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// `statistics`, where it is not null: batch_norm_workspace_bytes(C) that become the statistics of y. Returns how many
// parts they have, for batch_norm_training; 0 when there are none.
template <class T>
int depthwise_forward(const Conv2dParams& params, View<const T> x, View<const float> w, View<const float> b, View<T> y,
                      Stream stream, std::byte* statistics = nullptr, bool reference = false);

template <class T>
void depthwise_backward_data(const Conv2dParams& params, View<const float> w, View<const T> dy, View<T> dx,
                             Stream stream, bool reference = false);

// Sums of parts of the pixels, then their sum, in order. `workspace`: depthwise_weight_workspace(size of dw).
int64_t depthwise_weight_workspace(int64_t weights);
template <class T>
void depthwise_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<float> dw,
                               std::byte* workspace, Stream stream, bool reference = false);

// By the definition.
template <class T>
void depthwise_forward_plain(const Conv2dParams& params, View<const T> x, View<const float> w, View<const float> b,
                             View<T> y, Stream stream);
template <class T>
void depthwise_backward_data_plain(const Conv2dParams& params, View<const float> w, View<const T> dy, View<T> dx,
                                   Stream stream);
template <class T>
void depthwise_backward_weight_plain(const Conv2dParams& params, View<const T> x, View<const T> dy, View<float> dw,
                                     Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
