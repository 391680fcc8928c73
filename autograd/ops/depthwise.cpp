#include "kernels/depthwise.h"

#include "autograd/ops.h"
#include "autograd/ops/channel_sum.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/depthwise.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// y of a depthwise convolution; throws when w does not fit x.
Shape depthwise_shape(const Operation& operation, const Conv2dParams& params, const Shape& x, const Shape& w) {
  if (w[2] != x[3]) {
    fail(operation.name(), ": weight expects ", w[2], " channels, input has ", x[3], " (input ", x, ", weight ", w,
         ")");
  }
  return convolved_shape(operation, params, x, w[0], w[1], w[2]);
}

// 2 x multiply-adds, taps in the padding counted as everyone does.
int64_t depthwise_flops(const Shape& w, const Shape& y) { return 2 * y.size() * w[0] * w[1]; }

// (w, dy) -> dx.
class DepthwiseBackwardData : public Operation {
 public:
  DepthwiseBackwardData(const Conv2dParams& params, const Shape& x) : params_(params), x_(x) {}

  std::string name() const override { return "depthwise_conv2d_backward_data"; }
  Half half() const override { return Half::begins; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    check_cotangent(*this, inputs, depthwise_shape(*this, params_, x_, inputs[0].shape));
    return {{inputs[0].dtype, x_}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {depthwise_flops(inputs[0].shape, inputs[1].shape), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      return with_launchers(*this, inputs[0].dtype, options, [&](const auto& launchers) {
        return launch_kernel(launchers.depthwise_backward_data, options, params_);
      });
    }
    Kernel kernel = with_float_type(name(), inputs[0].dtype, [&](auto scalar) {
      using T = decltype(scalar);
      return options.reference ? call_kernel(&depthwise_backward_data_plain<T>, options, params_)
                               : call_kernel(&depthwise_backward_data<T>, options, params_);
    });
    kernel.workspace_bytes = inputs[0].bytes();
    return kernel;
  }

 private:
  Conv2dParams params_;
  Shape x_;
};

// (x, dy) -> dw.
class DepthwiseBackwardWeight : public Operation {
 public:
  DepthwiseBackwardWeight(const Conv2dParams& params, const Shape& w) : params_(params), w_(w) {}

  std::string name() const override { return "depthwise_conv2d_backward_weight"; }
  bool is_weight_gradient() const override { return true; }
  Half half() const override { return Half::begins; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    check_cotangent(*this, inputs, depthwise_shape(*this, params_, inputs[0].shape, w_));
    return {{inputs[0].dtype, w_}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {depthwise_flops(w_, inputs[1].shape), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      Kernel kernel = with_launchers(*this, inputs[0].dtype, options, [&](const auto& launchers) {
        return launch_kernel(launchers.depthwise_backward_weight, options, params_);
      });
      kernel.workspace_bytes = options.cuda->depthwise_weight_workspace(outputs[0].shape.size());
      return kernel;
    }
    Kernel kernel = with_float_type(name(), inputs[0].dtype, [&](auto scalar) {
      using T = decltype(scalar);
      return options.reference ? call_kernel(&depthwise_backward_weight_plain<T>, options, params_)
                               : call_kernel(&depthwise_backward_weight<T>, options, params_);
    });
    kernel.workspace_bytes = depthwise_weight_workspace(outputs[0].bytes());
    return kernel;
  }

 private:
  Conv2dParams params_;
  Shape w_;
};

}  // namespace

Attributes DepthwiseForward::attributes() const { return window_attributes(params.stride, params.padding); }

std::vector<ValueType> DepthwiseForward::infer(std::span<const ValueType> inputs) const {
  check_convolution(*this, inputs, 3, -1);
  return {{inputs[0].dtype, depthwise_shape(*this, params, inputs[0].shape, inputs[1].shape)}};
}

std::vector<Value> DepthwiseForward::gradient(Graph& graph, const GradientArguments& arguments) const {
  const Value x = arguments.inputs[0];
  const Value w = arguments.inputs[1];
  const Value dy = arguments.output_gradients[0];
  std::vector<Value> result(arguments.inputs.size());
  if (arguments.needed[0]) {
    result[0] = graph.record(DepthwiseBackwardData(params, x.shape()), {w, dy});
  }
  if (arguments.needed[1]) {
    result[1] = graph.record(DepthwiseBackwardWeight(params, w.shape()), {x, dy});
  }
  if (arguments.inputs.size() == 3 && arguments.needed[2]) {
    result[2] = channel_sum(dy);
  }
  return result;
}

Cost DepthwiseForward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const int64_t bias = inputs.size() == 3 ? outputs[0].shape.size() : 0;
  return {depthwise_flops(inputs[1].shape, outputs[0].shape) + bias, moved_bytes(inputs, outputs)};
}

Kernel DepthwiseForward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                 const PrepareOptions& options) const {
  if (options.cuda != nullptr) {
    Kernel kernel = with_launchers(*this, inputs[0].dtype, options, [&](const auto& launchers) {
      return launch_kernel(launchers.depthwise_forward, options, params);
    });
    kernel.run = [run = kernel.run](const StepContext* step, auto in, auto out, std::byte*) {
      run(step, in, out, nullptr);  // no statistics of y
    };
    return kernel;
  }
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) {
    using T = decltype(scalar);
    return options.reference ? call_kernel(&depthwise_forward_plain<T>, options, params)
                             : call_kernel(&depthwise_forward<T>, options, params, Activation::identity);
  });
}

Value depthwise_conv2d(Value x, Value weight, std::optional<Value> bias, const Conv2dParams& params) {
  const DepthwiseForward operation(params);
  return bias ? x.graph().record(operation, {x, weight, *bias}) : x.graph().record(operation, {x, weight});
}

}  // namespace fer
