#include "autograd/ops/normalised_convolution.h"

#include "autograd/ops/make_kernel.h"
#include "kernels/normalised_product.h"

namespace fer {

namespace {

// Of (x, gamma, beta, mean, inverse_std, w or dy, further pieces of x).
NormalisedShape shape_of(std::span<const ValueType> inputs, Activation activation, int64_t outputs) {
  const Shape& x = inputs[0].shape;
  return {activation, x.size() / x[-1], inputs[1].shape.size(), outputs};
}

Cost cost_of(const NormalisedShape& shape, std::span<const ValueType> inputs, std::span<const ValueType> outputs) {
  const int64_t of_norm = shape.activation == Activation::identity ? 3 : 4;
  return {shape.pixels * shape.inputs * (2 * shape.outputs + of_norm), moved_bytes(inputs, outputs)};
}

}  // namespace

std::vector<ValueType> NormalisedConvolution::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, static_cast<size_t>(6 + further_));
  return {{inputs[0].dtype, inputs[0].shape.with(-1, inputs[5].shape[0])}};
}

Cost NormalisedConvolution::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return cost_of(shape_of(inputs, activation_, inputs[5].shape[0]), inputs, outputs);
}

Kernel NormalisedConvolution::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                      const PrepareOptions& options) const {
  return call_kernel(prepare_normalised_forward(shape_of(inputs, activation_, inputs[5].shape[0])), options);
}

std::vector<ValueType> NormalisedConvolutionBackwardWeight::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, static_cast<size_t>(6 + further_));
  return {{inputs[0].dtype, {inputs[5].shape[-1], 1, 1, inputs[1].shape.size()}}};
}

Cost NormalisedConvolutionBackwardWeight::cost(std::span<const ValueType> inputs,
                                               std::span<const ValueType> outputs) const {
  return cost_of(shape_of(inputs, activation_, inputs[5].shape[-1]), inputs, outputs);
}

Kernel NormalisedConvolutionBackwardWeight::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                                    const PrepareOptions& options) const {
  return call_kernel(prepare_normalised_backward_weight(shape_of(inputs, activation_, inputs[5].shape[-1])), options);
}

}  // namespace fer
