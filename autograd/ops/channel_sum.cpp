#include "autograd/ops/channel_sum.h"

#include "autograd/ops/make_kernel.h"
#include "kernels/channel_sum.h"

namespace fer {

namespace {

class ChannelSum : public Operation {
 public:
  std::string name() const override { return "channel_sum"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    with_float_type(name(), inputs[0].dtype, [](auto) {});
    if (inputs[0].shape.rank() < 1 || inputs[0].shape[-1] == 0) {
      fail(name(), ": input must be [...,channels], is ", inputs[0]);
    }
    return {{inputs[0].dtype, {inputs[0].shape[-1]}}};
  }

  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {inputs[0].shape.size(), moved_bytes(inputs, outputs)};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override {
    Kernel kernel = make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(channel_sum));
    kernel.workspace_bytes = options.cuda != nullptr ? options.cuda->channel_sum_workspace(outputs[0].shape.size())
                                                     : channel_sum_workspace(outputs[0].shape.size());
    return kernel;
  }
};

}  // namespace

Value channel_sum(Value x) { return x.graph().record(ChannelSum(), {x}); }

}  // namespace fer
