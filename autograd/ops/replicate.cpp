#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/pixels.h"

namespace fer {

namespace {

// dy [..., channels] -> dx [..., 1].
class ReplicateChannelsBackward : public Operation {
 public:
  std::string name() const override { return "replicate_channels_backward"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    with_float_type(name(), inputs[0].dtype, [](auto) {});
    return {{inputs[0].dtype, inputs[0].shape.with(-1, 1)}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(replicate_channels_backward));
  }
};

// x [N,H,W,1] -> [N,H,W,channels].
class ReplicateChannels : public Operation {
 public:
  explicit ReplicateChannels(int64_t channels) : channels_(channels) {}

  std::string name() const override { return "replicate_channels"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    with_float_type(name(), inputs[0].dtype, [](auto) {});
    if (inputs[0].shape.rank() != 4 || inputs[0].shape[3] != 1) {
      fail(name(), ": expects images [N,H,W,1], is given ", inputs[0]);
    }
    if (channels_ < 1) {
      fail(name(), ": ", channels_, " channels is not positive");
    }
    return {{inputs[0].dtype, inputs[0].shape.with(3, channels_)}};
  }

  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override {
    return {graph.record(ReplicateChannelsBackward(), {arguments.output_gradients[0]})};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(replicate_channels_forward));
  }

 private:
  const int64_t channels_;
};

}  // namespace

Value replicate_channels(Value x, int64_t channels) { return x.graph().record(ReplicateChannels(channels), {x}); }

}  // namespace fer
