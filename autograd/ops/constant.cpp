#include "autograd/ops.h"
#include "kernels/elementwise.h"

namespace fer {

namespace {

class Constant : public Operation {
 public:
  Constant(ValueType type, double value) : type_(type), value_(value) {}

  std::string name() const override { return "constant"; }
  Attributes attributes() const override { return {{"value", value_}}; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 0);
    return {type_};
  }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions&) const override {
    switch (type_.dtype) {
      case DType::f32:
        return kernel<float>();
      case DType::f64:
        return kernel<double>();
      case DType::u8:
        return kernel<uint8_t>();
      case DType::i32:
        return kernel<int32_t>();
      case DType::i64:
        return kernel<int64_t>();
      default:
        fail("constant: cannot be ", type_.dtype);
    }
  }

 private:
  template <class T>
  Kernel kernel() const {
    return {[value = static_cast<T>(value_)](const StepContext&, auto, auto out, std::byte*) {
      fill<T>(value, out[0].template as<T>());
    }};
  }

  ValueType type_;
  double value_;
};

}  // namespace

Value constant(Graph& graph, ValueType type, double value) { return graph.record(Constant(type, value), {}); }

}  // namespace fer
