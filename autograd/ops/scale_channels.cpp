#include "kernels/scale_channels.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

void check_gate(const Operation& operation, const ValueType& x, const ValueType& s) {
  with_float_type(operation.name(), x.dtype, [](auto) {});
  if (x.shape.rank() != 4) {
    fail(operation.name(), ": expects [N,H,W,C], input is ", x);
  }
  const ValueType expected{x.dtype, {x.shape[0], x.shape[3]}};
  if (s != expected) {
    fail(operation.name(), ": the factors must be ", expected, ", are ", s, " (input ", x, ")");
  }
}

// dy, x, s -> dx, ds.
class ScaleChannelsBackward : public Operation {
 public:
  std::string name() const override { return "scale_channels_backward"; }
  std::vector<int> in_place() const override { return {0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 3);
    check_gate(*this, inputs[1], inputs[2]);
    if (inputs[0] != inputs[1]) {
      fail(name(), ": dy is ", inputs[0], ", input ", inputs[1]);
    }
    return {inputs[1], inputs[2]};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {3 * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(scale_channels_backward));
    kernel.workspace_bytes = options.cuda != nullptr ? 0 : scale_channels_workspace_bytes(inputs[0].shape[3]);
    return kernel;
  }
};

class ScaleChannels : public Operation {
 public:
  std::string name() const override { return "scale_channels"; }
  std::vector<int> in_place() const override { return {0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    check_gate(*this, inputs[0], inputs[1]);
    return {inputs[0]};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    const Value dy = arguments.output_gradients[0], x = arguments.inputs[0], s = arguments.inputs[1];
    if (!arguments.needed[1]) {
      return {scale_channels(dy, s), {}};
    }
    const Value inputs[] = {dy, x, s};
    return graph.apply(std::make_shared<ScaleChannelsBackward>(), inputs);
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(scale_channels_forward));
  }
};

}  // namespace

Value scale_channels(Value x, Value s) { return x.graph().record(ScaleChannels(), {x, s}); }

}  // namespace fer
