#include "autograd/ops/elementwise.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/elementwise.h"

namespace fer {

std::vector<ValueType> Elementwise::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, static_cast<size_t>(inputs_));
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  for (const ValueType& input : inputs) {
    if (input != inputs[0]) {
      fail(name(), ": inputs differ: ", inputs[0], " and ", input);
    }
  }
  return {inputs[0]};
}

Cost Elementwise::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {flops_ * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<int> Elementwise::in_place() const { return inputs_ == 1 ? std::vector<int>{0} : std::vector<int>{0, 1}; }

std::vector<Value> Add::gradient(Graph&, const GradientArguments& arguments) const {
  return {arguments.output_gradients[0], arguments.output_gradients[0]};
}

Kernel Add::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                    const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(add_forward));
}

std::vector<Value> Multiply::gradient(Graph&, const GradientArguments& arguments) const {
  const Value dy = arguments.output_gradients[0];
  std::vector<Value> result(2);
  for (size_t i = 0; i < 2; ++i) {
    if (arguments.needed[i]) {
      result[i] = multiply(dy, arguments.inputs[1 - i]);
    }
  }
  return result;
}

Kernel Multiply::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                         const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(multiply_forward));
}

std::vector<Value> Scale::gradient(Graph&, const GradientArguments& arguments) const {
  return {scale(arguments.output_gradients[0], factor)};
}

Kernel Scale::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                      const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(scale_forward), factor);
}

std::vector<Value> Sign::gradient(Graph&, const GradientArguments&) const { return {Value()}; }

Kernel Sign::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                     const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(sign_forward));
}

std::vector<Value> Clamp::gradient(Graph& graph, const GradientArguments& arguments) const {
  return {graph.record(ClampBackward(low, high), {arguments.inputs[0], arguments.output_gradients[0]})};
}

Kernel Clamp::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                      const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(clamp_forward), low, high);
}

Kernel ClampBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                              const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(clamp_backward), low, high);
}

Kernel SignStep::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                         const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(sign_step), epsilon, low, high);
}

// Training on attacked pixels takes them as given, wherever they came from.
std::vector<Value> BallStep::gradient(Graph&, const GradientArguments&) const { return std::vector<Value>(3); }

Kernel BallStep::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                         const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(ball_step), epsilon, radius);
}

std::vector<ValueType> Sum::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 1);
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  return {{inputs[0].dtype, {}}};
}

Cost Sum::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {inputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<Value> Sum::gradient(Graph& graph, const GradientArguments& arguments) const {
  return {graph.record(Broadcast(arguments.inputs[0].shape()), {arguments.output_gradients[0]})};
}

Kernel Sum::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                    const PrepareOptions& options) const {
  Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(sum_forward));
  kernel.workspace_bytes = options.cuda != nullptr ? options.cuda->sum_workspace_bytes() : sum_workspace_bytes();
  return kernel;
}

std::vector<ValueType> Broadcast::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 1);
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  if (inputs[0].shape.rank() != 0) {
    fail("broadcast: expects a scalar, input is ", inputs[0]);
  }
  return {{inputs[0].dtype, shape}};
}

std::vector<Value> Broadcast::gradient(Graph&, const GradientArguments& arguments) const {
  return {sum(arguments.output_gradients[0])};
}

Kernel Broadcast::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                          const PrepareOptions& options) const {
  if (options.cuda != nullptr) {
    return with_launchers(*this, inputs[0].dtype, options,
                          [&](const auto& launchers) { return launch_kernel(launchers.broadcast, options); });
  }
  return with_float_type(name(), inputs[0].dtype, [](auto scalar) -> Kernel {
    using T = decltype(scalar);
    return {[](const StepContext*, auto in, auto out, std::byte*) {
      fill<T>(*in[0].template as<const T>().data, out[0].template as<T>());
    }};
  });
}

Value add(Value a, Value b) { return a.graph().record(Add(), {a, b}); }
Value multiply(Value a, Value b) { return a.graph().record(Multiply(), {a, b}); }
Value scale(Value x, double factor) { return x.graph().record(Scale(factor), {x}); }
Value sign(Value x) { return x.graph().record(Sign(), {x}); }
Value clamp(Value x, double low, double high) { return x.graph().record(Clamp(low, high), {x}); }
Value ball_step(Value x, Value origin, Value g, double epsilon, double radius) {
  return x.graph().record(BallStep(epsilon, radius), {x, origin, g});
}
Value sum(Value x) { return x.graph().record(Sum(), {x}); }

}  // namespace fer
