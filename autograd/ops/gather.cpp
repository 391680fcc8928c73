#include "autograd/ops.h"
#include "kernels/cuda/kernel_table.h"
#include "kernels/pixels.h"

namespace fer {

namespace {

// (table, indices) -> the rows at the indices. Tables are data: there is no gradient.
class Gather : public Operation {
 public:
  std::string name() const override { return "gather"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 2);
    const ValueType& table = inputs[0];
    const ValueType& indices = inputs[1];
    if (table.shape.rank() < 1) {
      fail(name(), ": the table must have rows, is ", table);
    }
    if (indices.dtype != DType::i32 || indices.shape.rank() != 1) {
      fail(name(), ": indices must be i32[N], are ", indices);
    }
    return {{table.dtype, table.shape.with(0, indices.shape[0])}};
  }

  // The rows read, not the whole table.
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {0, 2 * outputs[0].bytes() + inputs[1].bytes()};
  }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      const auto run = [launch = options.cuda->gather_rows, options](const StepContext*, auto in, auto out,
                                                                     std::byte*) {
        launch(in[0], in[1].template as<const int32_t>(), out[0], options.stream, options.reference);
      };
      return {run, 0, Device::cuda};
    }
    return {[](const StepContext*, auto in, auto out, std::byte*) {
      gather_rows(in[0], in[1].template as<const int32_t>(), out[0]);
    }};
  }
};

}  // namespace

Value gather(Value table, Value indices) { return table.graph().record(Gather(), {table, indices}); }

}  // namespace fer
