// The depthwise convolution as a class, for the fusion pass; everyone else calls depthwise_conv2d() from ops.h.
#pragma once

#include "autograd/operation.h"
#include "kernels/conv2d.h"

namespace fer {

// (x, w[, b]) -> y.
class DepthwiseForward : public Operation {
 public:
  explicit DepthwiseForward(const Conv2dParams& params) : params(params) {}

  std::string name() const override { return "depthwise_conv2d"; }
  Attributes attributes() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Conv2dParams params;
};

}  // namespace fer
