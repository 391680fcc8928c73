#include "autograd/ops/conv2d.h"

#include "autograd/ops.h"
#include "autograd/ops/channel_sum.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/channel_sum.h"

namespace fer {

Attributes window_attributes(int64_t stride, const Padding& padding) {
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  return {{"stride", number(stride)},
          {"top", number(padding.top)},
          {"bottom", number(padding.bottom)},
          {"left", number(padding.left)},
          {"right", number(padding.right)}};
}

void check_convolution(const Operation& operation, std::span<const ValueType> inputs, int rank, int out_channels) {
  check_input_count(operation, inputs, inputs.size() == 3 ? 3 : 2);
  const ValueType& x = inputs[0];
  const ValueType& w = inputs[1];
  with_float_type(operation.name(), x.dtype, [](auto) {});
  if (x.shape.rank() != 4) {
    fail(operation.name(), ": input must be images [N,H,W,C], is ", x);
  }
  if (w.shape.rank() != rank || w.dtype != x.dtype || w.shape.size() == 0) {
    fail(operation.name(), ": weight must be ", x.dtype, rank == 4 ? " [out,kh,kw,in]" : " [kh,kw,C]", ", is ", w,
         " (input ", x, ")");
  }
  if (inputs.size() == 3 && inputs[2] != ValueType{x.dtype, {w.shape[out_channels]}}) {
    fail(operation.name(), ": bias expects ", ValueType{x.dtype, {w.shape[out_channels]}}, ", is ", inputs[2],
         " (weight ", w, ")");
  }
}

Shape convolved_shape(const Operation& operation, const Conv2dParams& params, const Shape& x, int64_t rows,
                      int64_t columns, int64_t channels) {
  const Padding& padding = params.padding;
  return {x[0], window_extent(operation.name(), x[1], padding.top, padding.bottom, rows, params.stride),
          window_extent(operation.name(), x[2], padding.left, padding.right, columns, params.stride), channels};
}

void check_cotangent(const Operation& operation, std::span<const ValueType> inputs, const Shape& expected) {
  const ValueType type{inputs[0].dtype, expected};
  if (inputs[1] != type) {
    fail(operation.name(), ": dy expects ", type, ", is ", inputs[1]);
  }
}

Kernel convolution_kernel(const PreparedConv2dForward& prepared, const PrepareOptions& options) {
  Kernel kernel = call_kernel(prepared, options);
  if (prepared.kept_bytes > 0) {
    kernel.kept_bytes = prepared.kept_bytes;
    kernel.keep = [keep = prepared.keep](std::span<const AnyView> in, std::byte* kept) {
      keep(in[1].as<const float>().data, kept);
    };
    kernel.run = [run = kernel.run](const StepContext* step, std::span<const AnyView> in, std::span<const AnyView> out,
                                    std::byte* workspace) {
      std::array<AnyView, 3> with_kept;
      std::copy(in.begin(), in.end() - 1, with_kept.begin());
      with_kept[1].data = in.back().data;
      run(step, std::span(with_kept).first(in.size() - 1), out, workspace);
    };
  }
  return kernel;
}

namespace {

// y of a dense convolution; throws when w does not fit x.
Shape result_shape(const Operation& operation, const Conv2dParams& params, const Shape& x, const Shape& w) {
  if (w[3] != x[3]) {
    fail(operation.name(), ": weight expects ", w[3], " input channels, input has ", x[3], " (input ", x, ", weight ",
         w, ")");
  }
  return convolved_shape(operation, params, x, w[1], w[2], w[0]);
}

// 2 x multiply-adds, taps in the padding counted as everyone does: each of y's elements is one filter's worth.
int64_t convolution_flops(const Shape& w, const Shape& y) { return 2 * y.size() * (w.size() / w[0]); }

// The kernel of dw with that of db, the channels' sums of dy, after it.
template <class T>
Kernel with_bias_gradient(Kernel kernel, const cuda::Launchers<T>& launchers, const PrepareOptions& options,
                          int64_t channels) {
  kernel.run = [run = std::move(kernel.run), sum = launchers.channel_sum, options](const StepContext* step, auto in,
                                                                                   auto out, std::byte* workspace) {
    run(step, in, out, workspace);
    if (out[1].data != nullptr) {
      sum(in[1].template as<const T>(), out[1].template as<float>(), workspace, options.stream, options.reference);
    }
  };
  kernel.workspace_bytes = std::max(kernel.workspace_bytes, options.cuda->channel_sum_workspace(channels));
  kernel.writes = {kernel.writes[0], DType::f32};
  return kernel;
}

}  // namespace

std::vector<ValueType> Conv2dForward::infer(std::span<const ValueType> inputs) const {
  check_convolution(*this, inputs, 4, 0);
  return {{inputs[0].dtype, result_shape(*this, params, inputs[0].shape, inputs[1].shape)}};
}

std::vector<Value> Conv2dForward::gradient(Graph& graph, const GradientArguments& arguments) const {
  if (activation != Activation::identity) {  // made by fusion, after gradients
    return Operation::gradient(graph, arguments);
  }
  const Value x = arguments.inputs[0];
  const Value w = arguments.inputs[1];
  const Value dy = arguments.output_gradients[0];
  const bool bias = arguments.inputs.size() == 3 && arguments.needed[2];
  std::vector<Value> result(arguments.inputs.size());
  if (arguments.needed[0]) {
    result[0] = graph.record(Conv2dBackwardData(params, x.shape()), {w, dy});
  }
  if (arguments.needed[1]) {
    const Value inputs[] = {x, dy};
    const auto both = graph.apply(std::make_shared<const Conv2dBackwardWeight>(params, w.shape(), bias), inputs);
    std::copy(both.begin(), both.end(), result.begin() + 1);
  } else if (bias) {
    result[2] = channel_sum(dy);
  }
  return result;
}

Cost Conv2dForward::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const int more = (inputs.size() == 3 ? 1 : 0) + (activation == Activation::identity ? 0 : 1);
  return {convolution_flops(inputs[1].shape, outputs[0].shape) + more * outputs[0].shape.size(),
          moved_bytes(inputs, outputs)};
}

Kernel Conv2dForward::prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                              const PrepareOptions& options) const {
  if (takes_prepared(inputs[0].dtype, options)) {
    const bool bias = inputs.size() == 3;
    return convolution_kernel(prepare_conv2d_forward(params, inputs[0].shape, inputs[1].shape, outputs[0].shape, bias,
                                                     {.activation = activation}, options.weights_stay),
                              options);
  }
  const cuda::ConvolutionProduct product{cuda::Pass::forward, params,           inputs[0].shape,
                                         inputs[1].shape,     outputs[0].shape, inputs.size() == 3,
                                         options.precision};
  if (auto kernel = library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_convolution, product)) {
    return *kernel;
  }
  Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(conv2d_forward), params);
  if (activation != Activation::identity) {
    kernel.run = with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> decltype(kernel.run) {
      using T = decltype(scalar);
      return [run = kernel.run, activation = activation](const StepContext* step, auto in, auto out,
                                                         std::byte* workspace) {
        run(step, in, out, workspace);
        activation_forward<T>(activation, out[0].template as<const T>(), out[0].template as<T>());
      };
    });
  }
  return kernel;
}

std::vector<ValueType> Conv2dBackwardData::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 2);
  check_cotangent(*this, inputs, result_shape(*this, params, x, inputs[0].shape));
  return {{inputs[0].dtype, x}};
}

Cost Conv2dBackwardData::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {convolution_flops(inputs[0].shape, inputs[1].shape), moved_bytes(inputs, outputs)};
}

Kernel Conv2dBackwardData::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                   const PrepareOptions& options) const {
  if (takes_prepared(inputs[0].dtype, options)) {
    return call_kernel(prepare_conv2d_backward_data(params, inputs[0].shape, inputs[1].shape, x), options);
  }
  const cuda::ConvolutionProduct product{cuda::Pass::backward_data, params, x, inputs[0].shape, inputs[1].shape, false,
                                         options.precision};
  if (auto kernel = library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_convolution, product)) {
    return *kernel;
  }
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(conv2d_backward_data), params);
}

std::vector<ValueType> Conv2dBackwardWeight::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 2);
  check_cotangent(*this, inputs, result_shape(*this, params, inputs[0].shape, w));
  std::vector<ValueType> outputs{{inputs[0].dtype, w}};
  if (bias) {
    outputs.push_back({inputs[0].dtype, {w[0]}});
  }
  return outputs;
}

Cost Conv2dBackwardWeight::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {convolution_flops(w, inputs[1].shape) + (bias ? inputs[1].shape.size() : 0), moved_bytes(inputs, outputs)};
}

Kernel Conv2dBackwardWeight::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                     const PrepareOptions& options) const {
  if (takes_prepared(inputs[0].dtype, options)) {
    return call_kernel(prepare_conv2d_backward_weight(params, inputs[0].shape, inputs[1].shape, w, bias), options);
  }
  if (options.cuda != nullptr) {
    return with_launchers(*this, inputs[0].dtype, options, [&](const auto& launchers) {
      const cuda::ConvolutionProduct product{
          cuda::Pass::backward_weight, params, inputs[0].shape, w, inputs[1].shape, false, options.precision};
      const auto by_cudnn =
          library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_convolution, product);
      Kernel kernel = by_cudnn ? *by_cudnn : launch_kernel(launchers.conv2d_backward_weight, options, params);
      return bias ? with_bias_gradient(std::move(kernel), launchers, options, w[0]) : kernel;
    });
  }
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) {
    return call_kernel(&conv2d_backward_weight<decltype(scalar)>, options, params);
  });
}

Value conv2d(Value x, Value weight, std::optional<Value> bias, const Conv2dParams& params) {
  return bias ? x.graph().record(Conv2dForward(params), {x, weight, *bias})
              : x.graph().record(Conv2dForward(params), {x, weight});
}

}  // namespace fer
