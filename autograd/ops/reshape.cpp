#include "autograd/ops.h"

namespace fer {

namespace {

class Reshape : public Operation {
 public:
  explicit Reshape(Shape shape) : shape_(shape) {}

  std::string name() const override { return "reshape"; }
  bool is_view() const override { return true; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    if (inputs[0].shape.size() != shape_.size()) {
      fail("reshape: ", shape_, " has ", shape_.size(), " elements, input ", inputs[0], " has ",
           inputs[0].shape.size());
    }
    return {{inputs[0].dtype, shape_}};
  }

  std::vector<Value> gradient(Graph&, const GradientArguments& arguments) const override {
    return {reshape(arguments.output_gradients[0], arguments.inputs[0].shape())};
  }

  Cost cost(std::span<const ValueType>, std::span<const ValueType>) const override { return {}; }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions&) const override {
    return {};
  }

 private:
  Shape shape_;
};

}  // namespace

Value reshape(Value x, Shape shape) { return x.shape() == shape ? x : x.graph().record(Reshape(shape), {x}); }

Value flatten(Value x) {
  if (x.shape().rank() == 0) {
    fail("flatten: expects at least one dimension, input is ", x.type());
  }
  const int64_t samples = x.shape()[0];
  return reshape(x, {samples, samples == 0 ? 0 : x.shape().size() / samples});
}

}  // namespace fer
