// kernels/cross_entropy.h on the GPU: logits and dlogits are float or bf16; targets, weights and losses are float.
#pragma once

#include "kernels/cross_entropy.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void cross_entropy_forward(const CrossEntropyParams& params, View<const T> logits,
                           const CrossEntropyTarget<float>& target, View<float> loss, Stream stream);

template <class T>
void cross_entropy_backward(const CrossEntropyParams& params, View<const float> dloss, View<const T> logits,
                            const CrossEntropyTarget<float>& target, View<T> dlogits, Stream stream);

// May run in place.
template <class T>
void softmax_forward(View<const T> logits, View<T> y, Stream stream);

template <class T>
void count_correct_labels(View<const T> logits, View<const int32_t> labels, View<int32_t> correct, Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
