// A convolution with what follows it in evaluation after an activation that clamps: a batch-norm, a max-pooling of 2x2,
// or both. Made by fusion, for the CPU.
#pragma once

#include <optional>

#include "autograd/ops/conv2d.h"
#include "kernels/batch_norm.h"

namespace fer {

// (x, w[, b][, gamma, beta, running_mean, running_var]) -> max_pool(batch_norm(f(convolution(x, w[, b])))), without
// what is not asked for.
class FinishedConvolution : public Operation {
 public:
  FinishedConvolution(const Conv2dForward& convolution, bool bias, std::optional<BatchNormParams> norm, bool pool)
      : convolution_(convolution), bias_(bias), norm_(norm), pool_(pool) {}

  std::string name() const override { return "conv2d_finished"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  // What the convolution alone makes.
  ValueType convolved(std::span<const ValueType> inputs) const {
    return convolution_.infer(inputs.first(bias_ ? 3 : 2))[0];
  }

  Conv2dForward convolution_;
  bool bias_;
  std::optional<BatchNormParams> norm_;
  bool pool_;
};

}  // namespace fer
