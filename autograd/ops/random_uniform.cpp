#include "kernels/random_uniform.h"

#include "autograd/ops.h"

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

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions&) const override {
    return with_float_type(name(), type_.dtype, [&](auto scalar) -> Kernel {
      using T = decltype(scalar);
      return {[params = params_](const StepContext& step, auto, auto out, std::byte*) {
        random_uniform_forward<T>(params, step, out[0].template as<T>());
      }};
    });
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
