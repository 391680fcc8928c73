#include "autograd/ops/activation.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

std::vector<ValueType> ActivationForward::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 1);
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  return {inputs[0]};
}

std::vector<Value> ActivationForward::gradient(Graph& graph, const GradientArguments& arguments) const {
  const Value saved = activation == Activation::silu ? arguments.inputs[0] : arguments.outputs[0];
  return {graph.record(ActivationBackward(activation), {saved, arguments.output_gradients[0]})};
}

Cost ActivationForward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

Kernel ActivationForward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                  const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(activation_forward), activation);
}

std::vector<ValueType> ActivationBackward::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 2);
  if (inputs[0] != inputs[1]) {
    fail(name(), ": saved is ", inputs[0], ", dy ", inputs[1]);
  }
  return {inputs[0]};
}

Cost ActivationBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {2 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

Kernel ActivationBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                   const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(activation_backward), activation);
}

Value activate(Activation activation, Value x) {
  return activation == Activation::identity ? x : x.graph().record(ActivationForward(activation), {x});
}
Value relu(Value x) { return activate(Activation::relu, x); }
Value relu6(Value x) { return activate(Activation::relu6, x); }
Value silu(Value x) { return activate(Activation::silu, x); }
Value sigmoid(Value x) { return activate(Activation::sigmoid, x); }
Value tanh(Value x) { return activate(Activation::tanh, x); }

}  // namespace fer
