// The convolution operations as classes, and the checks that dense and depthwise convolution share.
#pragma once

#include "autograd/operation.h"
#include "kernels/conv2d.h"

namespace fer {

// "stride", "top", "bottom", "left", "right": of convolutions and of pooling.
Attributes window_attributes(int64_t stride, const Padding& padding);

// (x, w[, b]) -> f(y). An activation, one that clamp_range() knows, is put there by fusion, for the CPU.
class Conv2dForward : public Operation {
 public:
  explicit Conv2dForward(const Conv2dParams& params, Activation activation = Activation::identity)
      : params(params), activation(activation) {}

  std::string name() const override { return "conv2d"; }
  Attributes attributes() const override { return window_attributes(params.stride, params.padding); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Conv2dParams params;
  const Activation activation;
};

// (w, dy) -> dx.
class Conv2dBackwardData : public Operation {
 public:
  Conv2dBackwardData(const Conv2dParams& params, const Shape& x) : params(params), x(x) {}

  std::string name() const override { return "conv2d_backward_data"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Conv2dParams params;
  const Shape x;
};

// (x, dy) -> dw[, db].
class Conv2dBackwardWeight : public Operation {
 public:
  Conv2dBackwardWeight(const Conv2dParams& params, const Shape& w, bool bias) : params(params), w(w), bias(bias) {}

  std::string name() const override { return "conv2d_backward_weight"; }
  bool is_weight_gradient() const override { return true; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Conv2dParams params;
  const Shape w;
  const bool bias;
};

// What is wrong with the parameters, types or ranks of (x, w[, b]), `rank` being that of w; throws. b must be
// [`out_channels` of w, its dimension 0 or -1].
void check_convolution(const Operation& operation, std::span<const ValueType> inputs, int rank, int out_channels);

// [N,OH,OW,channels] for images x and a kernel of `rows` x `columns`.
Shape convolved_shape(const Operation& operation, const Conv2dParams& params, const Shape& x, int64_t rows,
                      int64_t columns, int64_t channels);

// The kernel of a prepared convolution of (x, w[, b]), with what it keeps of weights that stay.
Kernel convolution_kernel(const PreparedConv2dForward& prepared, const PrepareOptions& options);

// Throws unless inputs[1], dy, has shape `expected` and the type of inputs[0].
void check_cotangent(const Operation& operation, std::span<const ValueType> inputs, const Shape& expected);

}  // namespace fer
