#include "autograd/ops/elementwise.h"

#include "autograd/ops.h"
#include "kernels/elementwise.h"

namespace fer {

namespace {

// A kernel that calls function(T{}, in, out) with the typed scalar T of `dtype`.
template <class Function>
Kernel make_kernel(const Operation& operation, DType dtype, Function function) {
  return with_float_type(operation.name(), dtype, [&](auto scalar) -> Kernel {
    return {[=](const StepContext&, auto in, auto out, std::byte*) { function(scalar, in, out); }};
  });
}

}  // namespace

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

Kernel Add::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    add_forward<T>(in[0].template as<const T>(), in[1].template as<const T>(), out[0].template as<T>());
  });
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

Kernel Multiply::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    multiply_forward<T>(in[0].template as<const T>(), in[1].template as<const T>(), out[0].template as<T>());
  });
}

std::vector<Value> Scale::gradient(Graph&, const GradientArguments& arguments) const {
  return {scale(arguments.output_gradients[0], factor)};
}

Kernel Scale::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [factor = factor](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    scale_forward<T>(factor, in[0].template as<const T>(), out[0].template as<T>());
  });
}

std::vector<Value> Sign::gradient(Graph&, const GradientArguments&) const { return {Value()}; }

Kernel Sign::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    sign_forward<T>(in[0].template as<const T>(), out[0].template as<T>());
  });
}

std::vector<Value> Clamp::gradient(Graph& graph, const GradientArguments& arguments) const {
  return {graph.record(ClampBackward(low, high), {arguments.inputs[0], arguments.output_gradients[0]})};
}

Kernel Clamp::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [low = low, high = high](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    clamp_forward<T>(low, high, in[0].template as<const T>(), out[0].template as<T>());
  });
}

Kernel ClampBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                              const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [low = low, high = high](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    clamp_backward<T>(low, high, in[0].template as<const T>(), in[1].template as<const T>(), out[0].template as<T>());
  });
}

Kernel SignStep::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype,
                     [epsilon = epsilon, low = low, high = high](auto scalar, auto in, auto out) {
                       using T = decltype(scalar);
                       sign_step<T>(epsilon, low, high, in[0].template as<const T>(), in[1].template as<const T>(),
                                    out[0].template as<T>());
                     });
}

// Training on attacked pixels takes them as given, wherever they came from.
std::vector<Value> BallStep::gradient(Graph&, const GradientArguments&) const { return std::vector<Value>(3); }

Kernel BallStep::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [epsilon = epsilon, radius = radius](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    ball_step<T>(epsilon, radius, in[0].template as<const T>(), in[1].template as<const T>(),
                 in[2].template as<const T>(), out[0].template as<T>());
  });
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

Kernel Sum::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    const auto run = [](const StepContext&, auto in, auto out, std::byte* workspace) {
      sum_forward<T>(in[0].template as<const T>(), out[0].template as<T>(), workspace);
    };
    return {run, sum_workspace_bytes()};
  });
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

Kernel Broadcast::prepare(std::span<const ValueType> inputs, std::span<const ValueType>, const PrepareOptions&) const {
  return make_kernel(*this, inputs[0].dtype, [](auto scalar, auto in, auto out) {
    using T = decltype(scalar);
    fill<T>(*in[0].template as<const T>().data, out[0].template as<T>());
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
