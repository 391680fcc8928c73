#include "kernels/random_uniform.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// -> y
class RandomUniform : public Operation {
 public:
  RandomUniform(const ValueType& type, const RandomUniformParams& params) : type_(type), params_(params) {}

  std::string name() const override { return "random_uniform"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 0);
    with_float_type(name(), type_.dtype, [](auto) {});
    if (!(params_.low <= params_.high)) {
      fail(name(), ": expects low <= high, is given ", params_.low, " and ", params_.high);
    }
    return {type_};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {2 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions& options) const override {
    return make_kernel(*this, type_.dtype, options, FER_BOTH_DEVICES(random_uniform_forward), params_);
  }

 private:
  ValueType type_;
  RandomUniformParams params_;
};

}  // namespace

Value random_uniform(Graph& graph, ValueType type, double low, double high) {
  return graph.record(RandomUniform(type, {low, high, graph.next_stream()}), {});
}

}  // namespace fer
