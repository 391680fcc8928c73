#include "autograd/ops/batch_norm.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

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

ValueType infer_forward(const Operation& operation, std::span<const ValueType> inputs,
                        std::initializer_list<const char*> vectors, bool has_residual) {
  check_input_count(operation, inputs, has_residual ? 6 : 5);
  check_vectors(operation, inputs, inputs[0], 1, vectors);
  if (has_residual && inputs[5] != inputs[0]) {
    fail(operation.name(), ": residual is ", inputs[5], ", input ", inputs[0]);
  }
  return inputs[0];
}

constexpr std::initializer_list<const char*> running_statistics = {"gamma", "beta", "running_mean", "running_var"};

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

// The kernels take it after beta; null where there is none.
AnyView residual_of(std::span<const AnyView> in) { return in.size() > 5 ? in[5] : AnyView{nullptr, in[0].dtype, {}}; }

// For kernels that take (x, gamma, beta, residual, the two statistics).
decltype(Kernel::run) in_kernel_order(decltype(Kernel::run) run) {
  return [run = std::move(run)](const StepContext* step, auto in, auto out, std::byte* workspace) {
    const AnyView read[] = {in[0], in[1], in[2], residual_of(in), in[3], in[4]};
    run(step, read, out, workspace);
  };
}

// In the operation's order: (x, gamma, beta, running_mean, running_var, residual) -> y and `statistics`.
void set_forward_types(Kernel& kernel, const std::vector<DType>& statistics) {
  if (!kernel.reads.empty()) {
    const DType x = kernel.reads[0];
    kernel.reads = {x, DType::f32, DType::f32, DType::f32, DType::f32, x};
    kernel.writes = {x};
    kernel.writes.insert(kernel.writes.end(), statistics.begin(), statistics.end());
  }
}

// For `vector`, one value a channel.
int64_t workspace_bytes(const ValueType& vector, const PrepareOptions& options) {
  const int64_t channels = vector.shape.size();
  if (options.cuda != nullptr) {
    return options.cuda->batch_norm_workspace_bytes(channels);
  }
  return vector.dtype == DType::f64 ? batch_norm_workspace_bytes<double>(channels)
                                    : batch_norm_workspace_bytes<float>(channels);
}

}  // namespace

std::vector<ValueType> BatchNormTraining::infer(std::span<const ValueType> inputs) const {
  const ValueType y = infer_forward(*this, inputs, running_statistics, has_residual);
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
                                  const PrepareOptions& options) const {
  constexpr int parts = 0;  // no statistics were left in the workspace
  Kernel kernel =
      options.cuda != nullptr
          ? with_launchers(*this, inputs[0].dtype, options,
                           [&](const auto& launchers) {
                             return launch_kernel(launchers.batch_norm_training, options, params, activation, parts);
                           })
          : with_float_type(name(), inputs[0].dtype, [&](auto scalar) {
              return call_kernel(&batch_norm_training<decltype(scalar)>, options, params, activation);
            });
  kernel.run = [run = kernel.run](const StepContext* step, auto in, auto out, std::byte* workspace) {
    const AnyView read[] = {in[0], in[1], in[2], residual_of(in)};
    const AnyView written[] = {in[3], in[4], out[0], out[1], out[2]};
    run(step, read, written, workspace);
  };
  set_forward_types(kernel, {DType::f32, DType::f32});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
}

std::optional<Recipe> BatchNormTraining::recipe(int output) const {
  if (output != 0) {
    return std::nullopt;
  }
  std::vector<int> inputs{0, 1, 2, ~1, ~2};
  if (has_residual) {
    inputs.push_back(5);
  }
  return Recipe{std::make_shared<BatchNormAgain>(activation, has_residual), inputs};
}

std::vector<ValueType> BatchNormAgain::infer(std::span<const ValueType> inputs) const {
  return {infer_forward(*this, inputs, {"gamma", "beta", "mean", "inverse_std"}, has_residual_)};
}

Cost BatchNormAgain::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation_ == Activation::identity ? 3 : 4) * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<int> BatchNormAgain::in_place() const { return forward_in_place(has_residual_); }

Kernel BatchNormAgain::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                               const PrepareOptions& options) const {
  Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_again), activation_);
  kernel.run = in_kernel_order(std::move(kernel.run));
  set_forward_types(kernel, {});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
}

std::vector<ValueType> BatchNormInference::infer(std::span<const ValueType> inputs) const {
  return {infer_forward(*this, inputs, running_statistics, has_residual)};
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
                                   const PrepareOptions& options) const {
  Kernel kernel =
      make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_inference), params, activation);
  kernel.run = in_kernel_order(std::move(kernel.run));
  set_forward_types(kernel, {});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
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
                                          const PrepareOptions& options) const {
  Kernel kernel =
      make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_training_backward), activation);
  kernel.workspace_bytes = workspace_bytes(inputs[2], options);
  return kernel;
}

std::vector<ValueType> BatchNormInferenceBackward::infer(std::span<const ValueType> inputs) const {
  return infer_backward(*this, inputs, {"gamma", "beta", "running_mean", "running_var"});
}

Cost BatchNormInferenceBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation == Activation::identity ? 5 : 10) * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

Kernel BatchNormInferenceBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                           const PrepareOptions& options) const {
  Kernel kernel =
      make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_inference_backward), params, activation);
  kernel.workspace_bytes = workspace_bytes(inputs[2], options);
  return kernel;
}

Value batch_norm(Value x, Value gamma, Value beta, Value running_mean, Value running_var, const BatchNormParams& params,
                 bool training) {
  Graph& graph = x.graph();
  return training ? graph.record(BatchNormTraining(params), {x, gamma, beta, running_mean, running_var})
                  : graph.record(BatchNormInference(params), {x, gamma, beta, running_mean, running_var});
}

}  // namespace fer
