#include "kernels/dropout.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// x -> y, and as well dy -> dx.
class Dropout : public Operation {
 public:
  explicit Dropout(const DropoutParams& params) : params_(params) {}

  std::string name() const override { return params_.per_sample ? "drop_samples" : "dropout"; }
  std::vector<int> in_place() const override { return {0}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    with_float_type(name(), inputs[0].dtype, [](auto) {});
    if (!(params_.rate >= 0 && params_.rate < 1)) {
      fail(name(), ": rate must be in [0, 1), is ", params_.rate);
    }
    if (params_.per_sample && inputs[0].shape.rank() == 0) {
      fail(name(), ": expects [N,...], input is ", inputs[0]);
    }
    return {inputs[0]};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    return {graph.record(Dropout(params_), {arguments.output_gradients[0]})};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {2 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(dropout_forward), params_);
  }

 private:
  DropoutParams params_;
};

Value drop(Value x, double rate, bool per_sample) {
  return rate == 0 ? x : x.graph().record(Dropout({rate, x.graph().next_stream(), per_sample}), {x});
}

}  // namespace

Value dropout(Value x, double rate) { return drop(x, rate, false); }
Value drop_samples(Value x, double rate) { return drop(x, rate, true); }

}  // namespace fer
