#include "kernels/grid_sample.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

void check_types(const std::string& name, const ValueType& x, const ValueType& theta) {
  with_float_type(name, x.dtype, [](auto) {});
  if (x.shape.rank() != 4 || x.shape.size() == 0) {
    fail(name, ": x must be images [N,H,W,C], is ", x);
  }
  if (theta != ValueType{x.dtype, {x.shape[0], 2, 3}}) {
    fail(name, ": x ", x, " expects theta ", x.dtype, "[", x.shape[0], ",2,3], is ", theta);
  }
}

// (x, theta, dy) -> dx, dtheta.
class AffineGridSampleBackward : public Operation {
 public:
  std::string name() const override { return "affine_grid_sample_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 3);
    check_types(name(), inputs[0], inputs[1]);
    const Shape& x = inputs[0].shape;
    const Shape& dy = inputs[2].shape;
    if (inputs[2].dtype != inputs[0].dtype || dy.rank() != 4 || dy[0] != x[0] || dy[3] != x[3]) {
      fail(name(), ": x is ", inputs[0], ", dy ", inputs[2]);
    }
    return {inputs[0], inputs[1]};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {20 * inputs[2].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(affine_grid_sample_backward));
  }
};

// (x, theta) -> y.
class AffineGridSample : public Operation {
 public:
  AffineGridSample(int64_t height, int64_t width) : height_(height), width_(width) {}

  std::string name() const override { return "affine_grid_sample"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    check_types(name(), inputs[0], inputs[1]);
    if (height_ < 1 || width_ < 1) {
      fail(name(), ": output size ", height_, "x", width_, " is not positive");
    }
    return {{inputs[0].dtype, inputs[0].shape.with(1, height_).with(2, width_)}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    const Value inputs[] = {arguments.inputs[0], arguments.inputs[1], arguments.output_gradients[0]};
    std::vector<Value> gradients = graph.apply(std::make_shared<const AffineGridSampleBackward>(), inputs);
    for (size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = arguments.needed[i] ? gradients[i] : Value();
    }
    return gradients;
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {8 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(affine_grid_sample_forward));
  }

 private:
  const int64_t height_, width_;
};

}  // namespace

Value affine_grid_sample(Value x, Value theta, int64_t height, int64_t width) {
  return x.graph().record(AffineGridSample(height, width), {x, theta});
}

}  // namespace fer
