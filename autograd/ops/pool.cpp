#include "autograd/ops/pool.h"

#include "autograd/ops.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

void check_image(const std::string& who, const ValueType& x) {
  with_float_type(who, x.dtype, [](auto) {});
  if (x.shape.rank() != 4) {
    fail(who, ": expects [N,H,W,C], input is ", x);
  }
}

Shape pooled_shape(const std::string& who, const PoolParams& params, const Shape& x) {
  if (params.kernel < 1 || params.stride < 1) {
    fail(who, ": kernel ", params.kernel, " and stride ", params.stride, " must be positive");
  }
  const Padding& pad = params.padding;
  for (int64_t amount : {pad.top, pad.bottom, pad.left, pad.right}) {
    if (amount < 0 || amount >= params.kernel) {
      fail(who, ": padding ", amount, " must be at least 0 and less than the kernel, ", params.kernel);
    }
  }
  return {x[0], window_extent(who, x[1], pad.top, pad.bottom, params.kernel, params.stride),
          window_extent(who, x[2], pad.left, pad.right, params.kernel, params.stride), x[3]};
}

Attributes pool_attributes(const PoolParams& params) {
  Attributes attributes = window_attributes(params.stride, params.padding);
  attributes["kernel"] = static_cast<double>(params.kernel);
  return attributes;
}

class AveragePoolBackward : public PoolBackward {
 public:
  AveragePoolBackward(const PoolParams& params, Shape x) : PoolBackward("average_pool_backward", params, x) {}

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(average_pool_backward), params_);
  }
};

class AveragePool : public Operation {
 public:
  explicit AveragePool(const PoolParams& params) : params_(params) {}

  std::string name() const override { return "average_pool"; }
  Attributes attributes() const override { return pool_attributes(params_); }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    check_image(name(), inputs[0]);
    if (params_.padding != Padding{}) {
      fail("average_pool: padding is not supported");
    }
    return {{inputs[0].dtype, pooled_shape(name(), params_, inputs[0].shape)}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    return {graph.record(AveragePoolBackward(params_, arguments.inputs[0].shape()), {arguments.output_gradients[0]})};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {params_.kernel * params_.kernel * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(average_pool_forward), params_);
  }

 private:
  PoolParams params_;
};

class GlobalAveragePoolBackward : public PoolBackward {
 public:
  explicit GlobalAveragePoolBackward(Shape x) : PoolBackward("global_average_pool_backward", {}, x) {}

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(global_average_pool_backward));
  }
};

class GlobalAveragePool : public Operation {
 public:
  std::string name() const override { return "global_average_pool"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    check_image(name(), inputs[0]);
    return {{inputs[0].dtype, {inputs[0].shape[0], inputs[0].shape[3]}}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    return {graph.record(GlobalAveragePoolBackward(arguments.inputs[0].shape()), {arguments.output_gradients[0]})};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(global_average_pool_forward));
    kernel.workspace_bytes = options.cuda != nullptr ? 0 : global_average_pool_workspace_bytes(inputs[0].shape[3]);
    return kernel;
  }
};

}  // namespace

Kernel MaxPoolBackward::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                const PrepareOptions& options) const {
  return make_kernel(*this, inputs[1].dtype, options, FER_BOTH_DEVICES(max_pool_backward), params_);
}

Attributes MaxPool::attributes() const { return pool_attributes(params); }

std::vector<ValueType> MaxPool::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 1);
  check_image(name(), inputs[0]);
  if (params.kernel > 15) {
    fail("max_pool: kernel ", params.kernel, " is larger than 15");  // places in a window must fit a u8
  }
  const Shape y = pooled_shape(name(), params, inputs[0].shape);
  return {{inputs[0].dtype, y}, {DType::u8, y}};
}

std::vector<Value> MaxPool::gradient(Graph& graph, const GradientArguments& arguments) const {
  return {graph.record(MaxPoolBackward(params, arguments.inputs[0].shape()),
                       {arguments.outputs[1], arguments.output_gradients[0]})};
}

Cost MaxPool::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {params.kernel * params.kernel * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

Kernel MaxPool::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                        const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(max_pool_forward), params);
}

Value max_pool(Value x, const PoolParams& params) { return x.graph().record(MaxPool(params), {x}); }
Value average_pool(Value x, const PoolParams& params) { return x.graph().record(AveragePool(params), {x}); }
Value global_average_pool(Value x) { return x.graph().record(GlobalAveragePool(), {x}); }

}  // namespace fer
