#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/pixels.h"

namespace fer {

namespace {

// u8 -> floating point in 0 … 1.
class Decode : public Operation {
 public:
  explicit Decode(DType dtype) : dtype_(dtype) {}

  std::string name() const override { return "decode"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    with_float_type(name(), dtype_, [](auto) {});
    if (inputs[0].dtype != DType::u8) {
      fail(name(), ": expects pixels of type u8 or ", dtype_, ", is given ", inputs[0]);
    }
    return {{dtype_, inputs[0].shape}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {outputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions& options) const override {
    return make_kernel(*this, dtype_, options, FER_BOTH_DEVICES(decode_pixels));
  }

 private:
  const DType dtype_;
};

}  // namespace

Value decode(Value pixels, DType dtype) {
  return pixels.dtype() == dtype ? pixels : pixels.graph().record(Decode(dtype), {pixels});
}

}  // namespace fer
