#include "kernels/cross_entropy.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// Views of target and class weight, which follow the logits among an operation's inputs.
template <class T>
CrossEntropyTarget<T> target_of(std::span<const AnyView> in) {
  CrossEntropyTarget<T> target;
  if (in[0].dtype == DType::i32) {
    target.labels = static_cast<const int32_t*>(in[0].data);
  } else {
    target.probabilities = static_cast<const T*>(in[0].data);
  }
  target.class_weight = in.size() > 1 ? static_cast<const T*>(in[1].data) : nullptr;
  return target;
}

// inputs: logits, target and perhaps class weights.
void check_types(const CrossEntropyParams& params, std::span<const ValueType> inputs) {
  if (inputs.size() != 2 && inputs.size() != 3) {
    fail("cross_entropy: takes logits, target and perhaps class weights, was given ", inputs.size(), " inputs");
  }
  const ValueType& logits = inputs[0];
  const ValueType& target = inputs[1];
  with_float_type("cross_entropy", logits.dtype, [](auto) {});
  if (logits.shape.rank() != 2 || logits.shape[1] < 1) {
    fail("cross_entropy: logits must be [N,K], are ", logits);
  }
  const bool labels = target == ValueType{DType::i32, {logits.shape[0]}};
  if (!labels && target != logits) {
    fail("cross_entropy: logits ", logits, " expect a target i32[", logits.shape[0], "] of labels or ", logits,
         " of probabilities, target is ", target);
  }
  if (inputs.size() == 3 && inputs[2] != ValueType{logits.dtype, {logits.shape[1]}}) {
    fail("cross_entropy: logits ", logits, " expect class weights ", logits.dtype, "[", logits.shape[1], "], are ",
         inputs[2]);
  }
  if (!(params.label_smoothing >= 0 && params.label_smoothing <= 1)) {
    fail("cross_entropy: label smoothing ", params.label_smoothing, " is not in 0 … 1");
  }
  if (params.multi_target && labels) {
    fail("cross_entropy: multi-target loss expects a target ", logits, " of acceptable classes, target is ", target);
  }
  if (params.multi_target && (params.label_smoothing != 0 || inputs.size() == 3)) {
    fail("cross_entropy: multi-target loss takes neither label smoothing nor class weights");
  }
}

// (dloss, logits, target[, class weight]) -> dlogits.
class CrossEntropyBackward : public Operation {
 public:
  explicit CrossEntropyBackward(const CrossEntropyParams& params) : params_(params) {}

  std::string name() const override { return "cross_entropy_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_types(params_, inputs.subspan(1));
    if (inputs[0] != ValueType{inputs[1].dtype, {}}) {
      fail(name(), ": dloss must be ", ValueType{inputs[1].dtype, {}}, ", is ", inputs[0]);
    }
    return {inputs[1]};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {8 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      return with_launchers(*this, inputs[1].dtype, options, [&]<class T>(const cuda::Launchers<T>& launchers) {
        const auto run = [params = params_, launch = launchers.cross_entropy_backward, stream = options.stream](
                             const StepContext*, auto in, auto out, std::byte*) {
          launch(params, in[0].template as<const float>(), in[1].template as<const T>(),
                 target_of<float>(in.subspan(2)), out[0].template as<T>(), stream);
        };
        return Kernel{run, 0, Device::cuda, {}, {DType::f32, dtype_of<T>(), DType::f32, DType::f32}, {dtype_of<T>()}};
      });
    }
    return with_float_type(name(), inputs[1].dtype, [&](auto scalar) -> Kernel {
      using T = decltype(scalar);
      return {[params = params_](const StepContext*, auto in, auto out, std::byte*) {
        cross_entropy_backward<T>(params, in[0].template as<const T>(), in[1].template as<const T>(),
                                  target_of<T>(in.subspan(2)), out[0].template as<T>());
      }};
    });
  }

 private:
  const CrossEntropyParams params_;
};

// (logits, target[, class weight]) -> loss.
class CrossEntropy : public Operation {
 public:
  explicit CrossEntropy(const CrossEntropyParams& params) : params_(params) {}

  std::string name() const override { return "cross_entropy"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_types(params_, inputs);
    return {{inputs[0].dtype, {}}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    for (size_t i = 1; i < arguments.inputs.size(); ++i) {
      if (arguments.needed[i]) {
        fail(name(), ": only the logits have a gradient, the target and class weights are constants");
      }
    }
    std::vector<Value> inputs{arguments.output_gradients[0]};
    inputs.insert(inputs.end(), arguments.inputs.begin(), arguments.inputs.end());
    return graph.apply(std::make_shared<const CrossEntropyBackward>(params_), inputs);
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {6 * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      return with_launchers(*this, inputs[0].dtype, options, [&]<class T>(const cuda::Launchers<T>& launchers) {
        const auto run = [params = params_, launch = launchers.cross_entropy_forward, stream = options.stream](
                             const StepContext*, auto in, auto out, std::byte*) {
          launch(params, in[0].template as<const T>(), target_of<float>(in.subspan(1)), out[0].template as<float>(),
                 stream);
        };
        return Kernel{run, 0, Device::cuda, {}, {dtype_of<T>(), DType::f32, DType::f32}, {DType::f32}};
      });
    }
    return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
      using T = decltype(scalar);
      return {[params = params_](const StepContext*, auto in, auto out, std::byte*) {
        cross_entropy_forward<T>(params, in[0].template as<const T>(), target_of<T>(in.subspan(1)),
                                 out[0].template as<T>());
      }};
    });
  }

 private:
  const CrossEntropyParams params_;
};

}  // namespace

Value cross_entropy(Value logits, Value target, const CrossEntropyParams& params, std::optional<Value> class_weight) {
  std::vector<Value> inputs{logits, target};
  if (class_weight) {
    inputs.push_back(*class_weight);
  }
  return logits.graph().apply(std::make_shared<const CrossEntropy>(params), inputs).front();
}

}  // namespace fer
