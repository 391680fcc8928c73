#include "kernels/linear.h"

#include "autograd/ops.h"
#include "autograd/ops/channel_sum.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// 2 x multiply-adds of N rows through w [out,in].
int64_t linear_flops(int64_t rows, const Shape& w) { return 2 * rows * w.size(); }

void check_matrices(const Operation& operation, std::span<const ValueType> inputs,
                    std::initializer_list<const char*> names) {
  check_input_count(operation, inputs, names.size());
  with_float_type(operation.name(), inputs[0].dtype, [](auto) {});
  for (size_t i = 0; const char* matrix : names) {
    if (inputs[i].shape.rank() != 2 || inputs[i].dtype != inputs[0].dtype || inputs[i].shape.size() == 0) {
      fail(operation.name(), ": ", matrix, " must be a matrix of ", inputs[0].dtype, ", is ", inputs[i]);
    }
    ++i;
  }
}

// (w, dy) -> dx.
class LinearBackwardData : public Operation {
 public:
  std::string name() const override { return "linear_backward_data"; }
  Half half() const override { return Half::begins; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_matrices(*this, inputs, {"weight", "dy"});
    const Shape &w = inputs[0].shape, &dy = inputs[1].shape;
    if (w[0] != dy[1]) {
      fail(name(), ": weight has ", w[0], " outputs, dy ", dy[1], " (weight ", w, ", dy ", dy, ")");
    }
    return {{inputs[0].dtype, {dy[0], w[1]}}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {linear_flops(inputs[1].shape[0], inputs[0].shape), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    const Shape &w = inputs[0].shape, &dy = inputs[1].shape;
    if (takes_prepared(inputs[0].dtype, options)) {
      return call_kernel(prepare_linear_backward_data(dy[0], w[1], w[0]), options);
    }
    const cuda::MatrixProduct product{cuda::Pass::backward_data, dy[0], w[1], w[0], false, options.precision};
    if (auto kernel =
            library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_matrix_product, product)) {
      return *kernel;
    }
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(linear_backward_data));
  }
};

// (x, dy) -> dw.
class LinearBackwardWeight : public Operation {
 public:
  std::string name() const override { return "linear_backward_weight"; }
  bool is_weight_gradient() const override { return true; }
  Half half() const override { return Half::begins; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_matrices(*this, inputs, {"input", "dy"});
    const Shape &x = inputs[0].shape, &dy = inputs[1].shape;
    if (x[0] != dy[0]) {
      fail(name(), ": input has ", x[0], " rows, dy ", dy[0], " (input ", x, ", dy ", dy, ")");
    }
    return {{inputs[0].dtype, {dy[1], x[1]}}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {linear_flops(inputs[0].shape[0], outputs[0].shape), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    const Shape &x = inputs[0].shape, &dy = inputs[1].shape;
    if (takes_prepared(inputs[0].dtype, options)) {
      return call_kernel(prepare_linear_backward_weight(x[0], x[1], dy[1]), options);
    }
    const cuda::MatrixProduct product{cuda::Pass::backward_weight, x[0], x[1], dy[1], false, options.precision};
    if (auto kernel =
            library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_matrix_product, product)) {
      return *kernel;
    }
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(linear_backward_weight));
  }
};

// (x, w[, b]) -> y.
class LinearForward : public Operation {
 public:
  std::string name() const override { return "linear"; }
  Half half() const override { return Half::begins; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    const bool bias = inputs.size() == 3;
    check_input_count(*this, inputs, bias ? 3 : 2);
    check_matrices(*this, inputs.first(2), {"input", "weight"});
    const ValueType &x = inputs[0], &w = inputs[1];
    if (w.shape[1] != x.shape[1]) {
      fail(name(), ": weight expects ", w.shape[1], " features, input has ", x.shape[1], " (input ", x.shape,
           ", weight ", w.shape, ")");
    }
    if (bias && inputs[2] != ValueType{x.dtype, {w.shape[0]}}) {
      fail(name(), ": bias expects ", ValueType{x.dtype, {w.shape[0]}}, ", is ", inputs[2], " (weight ", w, ")");
    }
    return {{x.dtype, {x.shape[0], w.shape[0]}}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    const Value dy = arguments.output_gradients[0];
    std::vector<Value> result(arguments.inputs.size());
    if (arguments.needed[0]) {
      result[0] = graph.record(LinearBackwardData(), {arguments.inputs[1], dy});
    }
    if (arguments.needed[1]) {
      result[1] = graph.record(LinearBackwardWeight(), {arguments.inputs[0], dy});
    }
    if (arguments.inputs.size() == 3 && arguments.needed[2]) {
      result[2] = channel_sum(dy);
    }
    return result;
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    const int64_t bias = inputs.size() == 3 ? outputs[0].shape.size() : 0;
    return {linear_flops(inputs[0].shape[0], inputs[1].shape) + bias, moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    const Shape &x = inputs[0].shape, &w = inputs[1].shape;
    const bool bias = inputs.size() == 3;
    if (takes_prepared(inputs[0].dtype, options)) {
      return call_kernel(prepare_linear_forward(x[0], w[1], w[0], bias), options);
    }
    const cuda::MatrixProduct product{cuda::Pass::forward, x[0], w[1], w[0], bias, options.precision};
    if (auto kernel =
            library_kernel(*this, inputs[0].dtype, options, &cuda::KernelTable::prepare_matrix_product, product)) {
      return *kernel;
    }
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(linear_forward));
  }
};

}  // namespace

Value linear(Value x, Value weight, std::optional<Value> bias) {
  return bias ? x.graph().record(LinearForward(), {x, weight, *bias}) : x.graph().record(LinearForward(), {x, weight});
}

}  // namespace fer
