// Batch normalisation (Ioffe and Szegedy, 2015), with the residual and activation that follow it in one pass.
//
// x, residual, y, dy, dx are [...,C], x perhaps in pieces; everything else is [C]. All outputs are overwritten; outputs
// with null data are skipped. `workspace` has batch_norm_workspace_bytes<T>(C) bytes.
#pragma once

#include <cstddef>

#include "kernels/activation.h"
#include "kernels/pieces.h"
#include "tensor/view.h"

namespace fer {

struct BatchNormParams {
  double epsilon = 1e-5;
  double momentum = 0.1;  // PyTorch's: new = (1 - momentum) old + momentum batch
};

// Enough for as many threads as thread_count() names now.
template <class T>
int64_t batch_norm_workspace_bytes(int64_t channels);

// y = f(gamma (x - mean) inverse_std + beta + residual), inverse_std = 1 / sqrt(biased variance + epsilon), over the
// batch; residual may be null. Updates running_mean and running_var (unbiased variance). y may be x or residual.
template <class T>
void batch_norm_training(const BatchNormParams& params, Activation activation, Pieces<const T> x, View<const T> gamma,
                         View<const T> beta, View<const T> residual, View<T> running_mean, View<T> running_var,
                         View<T> y, View<T> mean, View<T> inverse_std, std::byte* workspace);

// The same with the running statistics, which it leaves alone. y may be x or residual.
template <class T>
void batch_norm_inference(const BatchNormParams& params, Activation activation, Pieces<const T> x, View<const T> gamma,
                          View<const T> beta, View<const T> residual, View<const T> running_mean,
                          View<const T> running_var, View<T> y, std::byte* workspace);

// batch_norm_training's y, to the bit, from the statistics it wrote. y may be x or residual.
template <class T>
void batch_norm_again(Activation activation, Pieces<const T> x, View<const T> gamma, View<const T> beta,
                      View<const T> residual, View<const T> mean, View<const T> inverse_std, View<T> y,
                      std::byte* workspace);

// Without residual. The pre-activation z is computed again from x: dz = dy f'(z), dbeta = sum dz,
// dgamma = sum dz x', dx = gamma inverse_std (dz - (dbeta + x' dgamma) / rows) + added with x' = (x - mean)
// inverse_std. `added` is null, or [...,C'] with C' >= C, of which the first C channels count.
// x is what `before`, which clamp_range() knows, made: dx is for what that was given. dx may be dy.
template <class T>
void batch_norm_training_backward(Activation activation, Activation before, View<const T> dy, Pieces<const T> x,
                                  View<const T> mean, View<const T> inverse_std, View<const T> gamma,
                                  View<const T> beta, View<const T> added, View<T> dx, View<T> dgamma, View<T> dbeta,
                                  std::byte* workspace);

// Statistics are constants here: dx = gamma inverse_std dz + added. x is read for dgamma or for an activation only.
// dx may be dy.
template <class T>
void batch_norm_inference_backward(const BatchNormParams& params, Activation activation, Activation before,
                                   View<const T> dy, Pieces<const T> x, View<const T> gamma, View<const T> beta,
                                   View<const T> running_mean, View<const T> running_var, View<const T> added,
                                   View<T> dx, View<T> dgamma, View<T> dbeta, std::byte* workspace);

}  // namespace fer
