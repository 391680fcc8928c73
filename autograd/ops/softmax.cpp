#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

void check_logits(const Operation& operation, const ValueType& logits) {
  with_float_type(operation.name(), logits.dtype, [](auto) {});
  if (logits.shape.rank() != 2 || logits.shape[1] < 1) {
    fail(operation.name(), ": logits must be [N,K], are ", logits);
  }
}

// logits -> probabilities.
class Softmax : public Operation {
 public:
  std::string name() const override { return "softmax"; }
  Half half() const override { return Half::never; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    check_logits(*this, inputs[0]);
    return {inputs[0]};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {5 * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  std::vector<int> in_place() const override { return {0}; }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(softmax_forward));
  }
};

// (logits, labels) -> how many rows are right.
class CountCorrect : public Operation {
 public:
  std::string name() const override { return "count_correct"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    check_logits(*this, inputs[0]);
    if (inputs[1] != ValueType{DType::i32, {inputs[0].shape[0]}}) {
      fail(name(), ": logits ", inputs[0], " expect labels i32[", inputs[0].shape[0], "], are ", inputs[1]);
    }
    return {{DType::i32, {}}};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(count_correct_labels));
  }
};

}  // namespace

Value softmax(Value logits) { return logits.graph().record(Softmax(), {logits}); }
Value count_correct(Value logits, Value labels) { return logits.graph().record(CountCorrect(), {logits, labels}); }

}  // namespace fer
