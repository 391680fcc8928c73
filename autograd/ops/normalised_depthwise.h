// A depthwise convolution with the batch-norm of training that follows it, whose statistics it leaves as it goes. For
// the GPU; made by fusion.
#pragma once

#include <memory>

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/depthwise.h"

namespace fer {

// (x, w[, b], gamma, beta, running_mean, running_var[, residual]) -> batch-norm's outputs, then the convolution's.
class NormalisedDepthwise : public Operation {
 public:
  NormalisedDepthwise(const DepthwiseForward& convolution, bool bias, const BatchNormTraining& norm)
      : convolution_(convolution), norm_(norm), bias_(bias) {}

  std::string name() const override { return "depthwise_conv2d_batch_norm"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> mutates() const override;
  std::optional<Recipe> recipe(int output) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  // How many of the inputs are the convolution's. The rest, after its result, are batch-norm's.
  size_t of_convolution() const { return bias_ ? 3 : 2; }
  std::vector<ValueType> of_norm(std::span<const ValueType> inputs, const ValueType& convolved) const;

  DepthwiseForward convolution_;
  BatchNormTraining norm_;
  bool bias_;
};

}  // namespace fer
