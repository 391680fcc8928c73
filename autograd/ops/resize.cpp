#include "kernels/resize.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// `images` with another height and width; throws unless both are images.
ValueType resized(const Operation& operation, const ValueType& images, int64_t height, int64_t width) {
  with_float_type(operation.name(), images.dtype, [](auto) {});
  if (images.shape.rank() != 4 || images.shape.size() == 0) {
    fail(operation.name(), ": expects images [N,H,W,C], is given ", images);
  }
  if (height < 1 || width < 1) {
    fail(operation.name(), ": size ", height, "x", width, " is not positive");
  }
  return {images.dtype, images.shape.with(1, height).with(2, width)};
}

// dy [N,h,w,C] -> dx [N,height,width,C].
class ResizeBilinearBackward : public Operation {
 public:
  ResizeBilinearBackward(int64_t height, int64_t width) : height_(height), width_(width) {}

  std::string name() const override { return "resize_bilinear_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    return {resized(*this, inputs[0], height_, width_)};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {8 * inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(resize_bilinear_backward));
  }

 private:
  const int64_t height_, width_;
};

// x [N,H,W,C] -> [N,height,width,C].
class ResizeBilinear : public Operation {
 public:
  ResizeBilinear(int64_t height, int64_t width) : height_(height), width_(width) {}

  std::string name() const override { return "resize_bilinear"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    return {resized(*this, inputs[0], height_, width_)};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    const Shape& x = arguments.inputs[0].shape();
    return {graph.record(ResizeBilinearBackward(x[1], x[2]), {arguments.output_gradients[0]})};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {8 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(resize_bilinear_forward));
  }

 private:
  const int64_t height_, width_;
};

}  // namespace

Value resize_bilinear(Value x, int64_t height, int64_t width) {
  return x.graph().record(ResizeBilinear(height, width), {x});
}

}  // namespace fer
