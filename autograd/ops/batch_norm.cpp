#include "autograd/ops/batch_norm.h"

#include "autograd/ops.h"

namespace fer {

namespace {

// Checks that inputs[from …] named `names` are vectors of x's channels.
void check_vectors(const Operation& operation, std::span<const ValueType> inputs, const ValueType& x, size_t from,
                   std::initializer_list<const char*> names) {
  with_float_type(operation.name(), x.dtype, [](auto) {});
  if (x.shape.rank() < 2) {
    fail(operation.name(), ": input must be [...,channels] of rank 2 or more, is ", x);
  }
  const ValueType expected{x.dtype, {x.shape[-1]}};
  for (const char* vector : names) {
    if (inputs[from] != expected) {
      fail(operation.name(), ": ", vector, " expects ", expected, ", is ", inputs[from], " (input ", x, ")");
    }
    ++from;
  }
}

ValueType infer_forward(const Operation& operation, std::span<const ValueType> inputs, bool has_residual) {
  check_input_count(operation, inputs, has_residual ? 6 : 5);
  check_vectors(operation, inputs, inputs[0], 1, {"gamma", "beta", "running_mean", "running_var"});
  if (has_residual && inputs[5] != inputs[0]) {
    fail(operation.name(), ": residual is ", inputs[5], ", input ", inputs[0]);
  }
  return inputs[0];
}

std::vector<ValueType> infer_backward(const Operation& operation, std::span<const ValueType> inputs,
                                      std::initializer_list<const char*> names) {
  check_input_count(operation, inputs, 6);
  check_vectors(operation, inputs, inputs[1], 2, names);
  if (inputs[0] != inputs[1]) {
    fail(operation.name(), ": dy is ", inputs[0], ", input ", inputs[1]);
  }
  const ValueType vector{inputs[1].dtype, {inputs[1].shape[-1]}};
  return {inputs[1], vector, vector};
}

std::vector<int> forward_in_place(bool has_residual) {
  return has_residual ? std::vector<int>{0, 5} : std::vector<int>{0};
}

}  // namespace

std::vector<ValueType> BatchNormTraining::infer(std::span<const ValueType> inputs) const {
  const ValueType y = infer_forward(*this, inputs, has_residual);
  const int64_t channels = y.shape[-1];
  if (channels == 0 || y.shape.size() / channels < 2) {
    fail("batch_norm: training needs more than one value per channel, input is ", y);
  }
  const ValueType vector{y.dtype, {channels}};
  return {y, vector, vector};
}

std::vector<Value> BatchNormTraining::gradient(Graph& graph, const GradientArguments& arguments) const {
  if (has_residual) {  // made by fusion, after gradients
    return Operation::gradient(graph, arguments);
  }
  const auto& in = arguments.inputs;
  const Value inputs[] = {arguments.output_gradients[0], in[0], arguments.outputs[1],
                          arguments.outputs[2],          in[1], in[2]};
  return graph.apply(std::make_shared<BatchNormTrainingBackward>(params, activation), inputs);
}

Cost BatchNormTraining::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  // x is read for its statistics, then again to be normalised.
  return {(activation == Activation::identity ? 7 : 8) * inputs[0].shape.size(),
          moved_bytes(inputs, outputs) + inputs[0].bytes()};
}

std::vector<int> BatchNormTraining::in_place() const { return forward_in_place(has_residual); }

Kernel BatchNormTraining::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                  const PrepareOptions&) const {
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    const auto run = [params = params, activation = activation, has_residual = has_residual](
                         const StepContext&, auto in, auto out, std::byte* workspace) {
      const View<const T> residual = has_residual ? in[5].template as<const T>() : View<const T>{};
      batch_norm_training<T>(params, activation, in[0].template as<const T>(), in[1].template as<const T>(),
                             in[2].template as<const T>(), residual, in[3].template as<T>(), in[4].template as<T>(),
                             out[0].template as<T>(), out[1].template as<T>(), out[2].template as<T>(), workspace);
    };
    return {run, batch_norm_workspace_bytes<T>(inputs[1].shape.size())};
  });
}

std::vector<ValueType> BatchNormInference::infer(std::span<const ValueType> inputs) const {
  return {infer_forward(*this, inputs, has_residual)};
}

std::vector<Value> BatchNormInference::gradient(Graph& graph, const GradientArguments& arguments) const {
  if (has_residual) {  // made by fusion, after gradients
    return Operation::gradient(graph, arguments);
  }
  const auto& in = arguments.inputs;
  const Value inputs[] = {arguments.output_gradients[0], in[0], in[1], in[2], in[3], in[4]};
  return graph.apply(std::make_shared<BatchNormInferenceBackward>(params, activation), inputs);
}

Cost BatchNormInference::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation == Activation::identity ? 3 : 4) * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<int> BatchNormInference::in_place() const { return forward_in_place(has_residual); }

Kernel BatchNormInference::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                   const PrepareOptions&) const {
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    const auto run = [params = params, activation = activation, has_residual = has_residual](
                         const StepContext&, auto in, auto out, std::byte* workspace) {
      const View<const T> residual = has_residual ? in[5].template as<const T>() : View<const T>{};
      batch_norm_inference<T>(params, activation, in[0].template as<const T>(), in[1].template as<const T>(),
                              in[2].template as<const T>(), residual, in[3].template as<const T>(),
                              in[4].template as<const T>(), out[0].template as<T>(), workspace);
    };
    return {run, batch_norm_workspace_bytes<T>(inputs[1].shape.size())};
  });
}

std::vector<ValueType> BatchNormTrainingBackward::infer(std::span<const ValueType> inputs) const {
  return infer_backward(*this, inputs, {"mean", "inverse_std", "gamma", "beta"});
}

Cost BatchNormTrainingBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  // dy and x are read for the sums, then again for dx.
  return {(activation == Activation::identity ? 9 : 13) * inputs[0].shape.size(),
          moved_bytes(inputs, outputs) + inputs[0].bytes() + inputs[1].bytes()};
}

Kernel BatchNormTrainingBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                          const PrepareOptions&) const {
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    const auto run = [activation = activation](const StepContext&, auto in, auto out, std::byte* workspace) {
      batch_norm_training_backward<T>(
          activation, in[0].template as<const T>(), in[1].template as<const T>(), in[2].template as<const T>(),
          in[3].template as<const T>(), in[4].template as<const T>(), in[5].template as<const T>(),
          out[0].template as<T>(), out[1].template as<T>(), out[2].template as<T>(), workspace);
    };
    return {run, batch_norm_workspace_bytes<T>(inputs[2].shape.size())};
  });
}

std::vector<ValueType> BatchNormInferenceBackward::infer(std::span<const ValueType> inputs) const {
  return infer_backward(*this, inputs, {"gamma", "beta", "running_mean", "running_var"});
}

Cost BatchNormInferenceBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation == Activation::identity ? 5 : 10) * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

Kernel BatchNormInferenceBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                           const PrepareOptions&) const {
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    const auto run = [params = params, activation = activation](const StepContext&, auto in, auto out,
                                                                std::byte* workspace) {
      batch_norm_inference_backward<T>(
          params, activation, in[0].template as<const T>(), in[1].template as<const T>(), in[2].template as<const T>(),
          in[3].template as<const T>(), in[4].template as<const T>(), in[5].template as<const T>(),
          out[0].template as<T>(), out[1].template as<T>(), out[2].template as<T>(), workspace);
    };
    return {run, batch_norm_workspace_bytes<T>(inputs[2].shape.size())};
  });
}

Value batch_norm(Value x, Value gamma, Value beta, Value running_mean, Value running_var, const BatchNormParams& params,
                 bool training) {
  Graph& graph = x.graph();
  return training ? graph.record(BatchNormTraining(params), {x, gamma, beta, running_mean, running_var})
                  : graph.record(BatchNormInference(params), {x, gamma, beta, running_mean, running_var});
}

}  // namespace fer
