#include "autograd/ops/batch_norm.h"

#include <algorithm>
#include <array>

#include "autograd/ops.h"
#include "autograd/ops/concat.h"
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

// x, of which `first` is the first piece, as a whole.
ValueType whole(const ValueType& first, std::span<const ValueType> further) {
  std::vector<ValueType> pieces{first};
  pieces.insert(pieces.end(), further.begin(), further.end());
  return further.empty() ? first : Concat().infer(pieces)[0];
}

ValueType infer_forward(const Operation& operation, std::span<const ValueType> inputs,
                        std::initializer_list<const char*> vectors, bool has_residual, int further) {
  const size_t pieces = static_cast<size_t>(further);
  check_input_count(operation, inputs, (has_residual ? 6 : 5) + pieces);
  const ValueType x = whole(inputs[0], inputs.last(pieces));
  check_vectors(operation, inputs, x, 1, vectors);
  if (has_residual && inputs[5] != x) {
    fail(operation.name(), ": residual is ", inputs[5], ", input ", x);
  }
  return x;
}

constexpr std::initializer_list<const char*> running_statistics = {"gamma", "beta", "running_mean", "running_var"};

std::vector<ValueType> infer_backward(const Operation& operation, std::span<const ValueType> inputs,
                                      std::initializer_list<const char*> names, bool has_added, int further) {
  const size_t pieces = static_cast<size_t>(further);
  check_input_count(operation, inputs, (has_added ? 7 : 6) + pieces);
  const ValueType x = whole(inputs[1], inputs.last(pieces));
  check_vectors(operation, inputs, x, 2, names);
  if (inputs[0] != x) {
    fail(operation.name(), ": dy is ", inputs[0], ", input ", x);
  }
  if (has_added &&
      (inputs[6].shape[-1] < x.shape[-1] || inputs[6] != ValueType{x.dtype, x.shape.with(-1, inputs[6].shape[-1])})) {
    fail(operation.name(), ": ", inputs[6], " cannot be added to the gradient of input ", x);
  }
  const ValueType vector{x.dtype, {x.shape[-1]}};
  return {x, vector, vector};
}

std::vector<int> forward_in_place(bool has_residual) {
  return has_residual ? std::vector<int>{0, 5} : std::vector<int>{0};
}

// What a kernel is given: some of the inputs, then the further pieces of x.
class KernelInputs {
 public:
  KernelInputs(std::initializer_list<AnyView> named, std::span<const AnyView> further) {
    std::ranges::copy(further, std::ranges::copy(named, views_.begin()).out);
    count_ = named.size() + further.size();
  }
  operator std::span<const AnyView>() const { return std::span(views_).first(count_); }

 private:
  std::array<AnyView, 7 + Pieces<float>::most> views_;
  size_t count_;
};

// Kernels take (x, gamma, beta, residual or null, the two statistics).
decltype(Kernel::run) in_kernel_order(decltype(Kernel::run) run, bool has_residual) {
  return [=](const StepContext* step, auto in, auto out, std::byte* workspace) {
    const AnyView residual = has_residual ? in[5] : AnyView{nullptr, in[0].dtype, {}};
    run(step, KernelInputs({in[0], in[1], in[2], residual, in[3], in[4]}, in.subspan(has_residual ? 6 : 5)), out,
        workspace);
  };
}

// In the operation's order: (x, gamma, beta, running_mean, running_var, residual or further pieces) -> y and
// `statistics`.
void set_forward_types(Kernel& kernel, size_t inputs, const std::vector<DType>& statistics) {
  if (!kernel.reads.empty()) {
    const DType x = kernel.reads[0];
    kernel.reads = {x, DType::f32, DType::f32, DType::f32, DType::f32};
    kernel.reads.resize(inputs, x);
    kernel.writes = {x};
    kernel.writes.insert(kernel.writes.end(), statistics.begin(), statistics.end());
  }
}

// Kernels take (dy, x, four vectors, added or null) and then pieces, as the operation does but for the null.
void set_backward_inputs(Kernel& kernel, bool has_added, int further) {
  if (!kernel.reads.empty()) {
    kernel.reads.resize(kernel.reads.size() + static_cast<size_t>(further), kernel.reads[0]);
  }
  if (!has_added && further > 0) {
    kernel.run = [run = kernel.run](const StepContext* step, auto in, auto out, std::byte* workspace) {
      const AnyView none{nullptr, in[0].dtype, {}};
      run(step, KernelInputs({in[0], in[1], in[2], in[3], in[4], in[5], none}, in.subspan(6)), out, workspace);
    };
  }
}

// Bytes of the gradient's `inputs` and outputs: of what is added to dx, only as much.
int64_t backward_bytes(std::span<const ValueType> inputs, std::span<const ValueType> outputs, bool has_added) {
  return moved_bytes(inputs, outputs) - (has_added ? inputs[6].bytes() - outputs[0].bytes() : 0);
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
  const ValueType y = infer_forward(*this, inputs, running_statistics, has_residual, further);
  const int64_t channels = y.shape[-1];
  if (channels == 0 || y.shape.size() / channels < 2) {
    fail("batch_norm: training needs more than one value per channel, input is ", y);
  }
  const ValueType vector{y.dtype, {channels}};
  return normalises ? std::vector{y, vector, vector} : std::vector{vector, vector};
}

std::vector<Value> BatchNormTraining::gradient(Graph& graph, const GradientArguments& arguments) const {
  if (has_residual || further > 0 || !normalises) {  // made by fusion, after gradients
    return Operation::gradient(graph, arguments);
  }
  const auto& in = arguments.inputs;
  const Value inputs[] = {arguments.output_gradients[0], in[0], arguments.outputs[1],
                          arguments.outputs[2],          in[1], in[2]};
  return graph.apply(std::make_shared<BatchNormTrainingBackward>(params, activation), inputs);
}

Cost BatchNormTraining::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  if (!normalises) {
    const Shape& x = inputs[0].shape;
    return {4 * (x.size() / x[-1] * outputs[0].shape.size()), moved_bytes(inputs, outputs)};
  }
  // x is read for its statistics, then again to be normalised.
  return {(activation == Activation::identity ? 7 : 8) * outputs[0].shape.size(),
          moved_bytes(inputs, outputs) + outputs[0].bytes()};
}

std::vector<int> BatchNormTraining::in_place() const {
  return normalises ? forward_in_place(has_residual) : std::vector<int>{};
}

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
  kernel.run = [run = kernel.run, residual = has_residual, normalises = normalises](const StepContext* step, auto in,
                                                                                    auto out, std::byte* workspace) {
    const AnyView none{nullptr, in[0].dtype, {}};
    const AnyView other = residual ? in[5] : none, y = normalises ? out[0] : none;
    const AnyView written[] = {in[3], in[4], y, out[out.size() - 2], out[out.size() - 1]};
    run(step, KernelInputs({in[0], in[1], in[2], other}, in.subspan(residual ? 6 : 5)), written, workspace);
  };
  set_forward_types(kernel, inputs.size(), {DType::f32, DType::f32});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
}

std::optional<Recipe> BatchNormTraining::recipe(int output) const {
  if (output != 0 || !normalises) {
    return std::nullopt;
  }
  std::vector<int> inputs{0, 1, 2, ~1, ~2};
  for (int i = 0; i < (has_residual ? 1 : further); ++i) {
    inputs.push_back(5 + i);
  }
  return Recipe{std::make_shared<BatchNormAgain>(activation, has_residual, further), inputs};
}

std::vector<ValueType> BatchNormAgain::infer(std::span<const ValueType> inputs) const {
  return {infer_forward(*this, inputs, {"gamma", "beta", "mean", "inverse_std"}, has_residual_, further_)};
}

Cost BatchNormAgain::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation_ == Activation::identity ? 3 : 4) * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<int> BatchNormAgain::in_place() const { return forward_in_place(has_residual_); }

Kernel BatchNormAgain::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                               const PrepareOptions& options) const {
  Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_again), activation_);
  kernel.run = in_kernel_order(std::move(kernel.run), has_residual_);
  set_forward_types(kernel, inputs.size(), {});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
}

std::vector<ValueType> BatchNormInference::infer(std::span<const ValueType> inputs) const {
  return {infer_forward(*this, inputs, running_statistics, has_residual, further)};
}

std::vector<Value> BatchNormInference::gradient(Graph& graph, const GradientArguments& arguments) const {
  if (has_residual || further > 0) {  // made by fusion, after gradients
    return Operation::gradient(graph, arguments);
  }
  const auto& in = arguments.inputs;
  const Value inputs[] = {arguments.output_gradients[0], in[0], in[1], in[2], in[3], in[4]};
  return graph.apply(std::make_shared<BatchNormInferenceBackward>(params, activation), inputs);
}

Cost BatchNormInference::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation == Activation::identity ? 3 : 4) * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

std::vector<int> BatchNormInference::in_place() const { return forward_in_place(has_residual); }

Kernel BatchNormInference::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                   const PrepareOptions& options) const {
  Kernel kernel =
      make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_inference), params, activation);
  kernel.run = in_kernel_order(std::move(kernel.run), has_residual);
  set_forward_types(kernel, inputs.size(), {});
  kernel.workspace_bytes = workspace_bytes(inputs[1], options);
  return kernel;
}

std::vector<ValueType> BatchNormTrainingBackward::infer(std::span<const ValueType> inputs) const {
  return infer_backward(*this, inputs, {"mean", "inverse_std", "gamma", "beta"}, has_added, further);
}

Cost BatchNormTrainingBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  // dy and x are read for the sums, then again for dx.
  return {(activation == Activation::identity ? 9 : 13) * outputs[0].shape.size(),
          backward_bytes(inputs, outputs, has_added) + 2 * outputs[0].bytes()};
}

Kernel BatchNormTrainingBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                          const PrepareOptions& options) const {
  Kernel kernel =
      make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_training_backward), activation, before);
  set_backward_inputs(kernel, has_added, further);
  kernel.workspace_bytes = workspace_bytes(inputs[2], options);
  return kernel;
}

std::vector<ValueType> BatchNormInferenceBackward::infer(std::span<const ValueType> inputs) const {
  return infer_backward(*this, inputs, {"gamma", "beta", "running_mean", "running_var"}, has_added, further);
}

Cost BatchNormInferenceBackward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {(activation == Activation::identity ? 5 : 10) * outputs[0].shape.size(),
          backward_bytes(inputs, outputs, has_added)};
}

Kernel BatchNormInferenceBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                           const PrepareOptions& options) const {
  Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(batch_norm_inference_backward), params,
                              activation, before);
  set_backward_inputs(kernel, has_added, further);
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
