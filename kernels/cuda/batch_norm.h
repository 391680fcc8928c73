// kernels/batch_norm.h on the GPU: x, residual, y, dy, added and dx are float or bf16, everything else is float. All
// outputs are overwritten; outputs with null data are skipped. y may be x or residual, dx may be dy. `workspace` has
// batch_norm_workspace_bytes(C) bytes. `reference`: one channel a thread.
#pragma once

#include <cstddef>

#include "kernels/batch_norm.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

int64_t batch_norm_workspace_bytes(int64_t channels);

// Two kernels: statistics of parts of the rows; then every block merges those of its channels and normalises.
// `parts` > 0: a convolution has left that many parts' statistics of x in the workspace already.
template <class T>
void batch_norm_training(const BatchNormParams& params, Activation activation, Pieces<const T> x,
                         View<const float> gamma, View<const float> beta, View<const T> residual,
                         View<float> running_mean, View<float> running_var, View<T> y, View<float> mean,
                         View<float> inverse_std, std::byte* workspace, Stream stream, int parts = 0,
                         bool reference = false);

template <class T>
void batch_norm_inference(const BatchNormParams& params, Activation activation, Pieces<const T> x,
                          View<const float> gamma, View<const float> beta, View<const T> residual,
                          View<const float> running_mean, View<const float> running_var, View<T> y, Stream stream,
                          bool reference = false);

template <class T>
void batch_norm_again(Activation activation, Pieces<const T> x, View<const float> gamma, View<const float> beta,
                      View<const T> residual, View<const float> mean, View<const float> inverse_std, View<T> y,
                      Stream stream, bool reference = false);

// Two kernels: sums of parts of the rows; then every block adds up those of its channels and computes dx.
template <class T>
void batch_norm_training_backward(Activation activation, Activation before, View<const T> dy, Pieces<const T> x,
                                  View<const float> mean, View<const float> inverse_std, View<const float> gamma,
                                  View<const float> beta, View<const T> added, View<T> dx, View<float> dgamma,
                                  View<float> dbeta, std::byte* workspace, Stream stream, bool reference = false);

template <class T>
void batch_norm_inference_backward(const BatchNormParams& params, Activation activation, Activation before,
                                   View<const T> dy, Pieces<const T> x, View<const float> gamma, View<const float> beta,
                                   View<const float> running_mean, View<const float> running_var, View<const T> added,
                                   View<T> dx, View<float> dgamma, View<float> dbeta, std::byte* workspace,
                                   Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
