#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
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

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions& options) const override {
    const cuda::KernelTable* const cuda = options.cuda;
    switch (type_.dtype) {
      case DType::f32:
        return kernel<float>(options, cuda != nullptr ? cuda->f32_activations.fill : nullptr);
      case DType::f64:
        if (cuda != nullptr) {
          check_launchable(*this, type_.dtype);
        }
        return kernel<double>(options, nullptr);
      case DType::u8:
        return kernel<uint8_t>(options, cuda != nullptr ? cuda->fill_u8 : nullptr);
      case DType::i32:
        return kernel<int32_t>(options, cuda != nullptr ? cuda->fill_i32 : nullptr);
      case DType::i64:
        return kernel<int64_t>(options, cuda != nullptr ? cuda->fill_i64 : nullptr);
      default:
        fail("constant: cannot be ", type_.dtype);
    }
  }

 private:
  template <class T>
  Kernel kernel(const PrepareOptions& options, void (*launcher)(T, View<T>, cuda::Stream)) const {
    const T value = static_cast<T>(value_);
    return launcher != nullptr ? launch_kernel(launcher, options, value) : call_kernel(&fill<T>, options, value);
  }

  ValueType type_;
  double value_;
};

}  // namespace

Value constant(Graph& graph, ValueType type, double value) { return graph.record(Constant(type, value), {}); }

}  // namespace fer
