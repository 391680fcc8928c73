#include "autograd/ops/concat.h"

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/concat.h"

namespace fer {

std::vector<ValueType> Concat::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() == 0) {
    fail("concat: expects one or more values with at least one dimension");
  }
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  int64_t channels = 0;
  for (const ValueType& input : inputs) {
    if (input.shape.rank() != inputs[0].shape.rank() || input.dtype != inputs[0].dtype ||
        input.shape.with(-1, 1) != inputs[0].shape.with(-1, 1)) {
      fail("concat: inputs differ in more than channels: ", inputs[0], " and ", input);
    }
    channels += input.shape[-1];
  }
  return {{inputs[0].dtype, inputs[0].shape.with(-1, channels)}};
}

std::vector<Value> Concat::gradient(Graph&, const GradientArguments& arguments) const {
  std::vector<Value> result(arguments.inputs.size());
  int64_t begin = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    const int64_t count = arguments.inputs[i].shape()[-1];
    if (arguments.needed[i]) {
      result[i] = slice_channels(arguments.output_gradients[0], begin, count);
    }
    begin += count;
  }
  return result;
}

Kernel Concat::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                       const PrepareOptions& options) const {
  const auto copy_all = [](auto copy) {
    return [copy](const StepContext*, std::span<const AnyView> in, std::span<const AnyView> out, std::byte*) {
      int64_t begin = 0;
      for (const AnyView& input : in) {
        copy(input, out[0], begin, input.shape[-1]);
        begin += input.shape[-1];
      }
    };
  };
  if (options.cuda != nullptr) {
    return with_launchers(*this, inputs[0].dtype, options, [&]<class T>(const cuda::Launchers<T>& launchers) {
      const auto copy = [launch = launchers.copy_channels, options](const AnyView& x, const AnyView& y, int64_t to,
                                                                    int64_t count) {
        launch(x.as<const T>(), 0, y.as<T>(), to, count, options.stream, options.reference);
      };
      return Kernel{copy_all(copy), 0, Device::cuda, {}, std::vector(inputs.size(), dtype_of<T>()), {dtype_of<T>()}};
    });
  }
  return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
    using T = decltype(scalar);
    return {copy_all([](const AnyView& x, const AnyView& y, int64_t to, int64_t count) {
      copy_channels<T>(x.as<const T>(), 0, y.as<T>(), to, count);
    })};
  });
}

std::vector<ValueType> SliceChannels::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, 1);
  with_float_type(name(), inputs[0].dtype, [](auto) {});
  if (inputs[0].shape.rank() == 0 || begin < 0 || count < 1 || begin + count > inputs[0].shape[-1]) {
    fail("slice_channels: channels ", begin, " to ", begin + count - 1, " are not all in input ", inputs[0]);
  }
  return {{inputs[0].dtype, inputs[0].shape.with(-1, count)}};
}

// dy between zeros.
std::vector<Value> SliceChannels::gradient(Graph& graph, const GradientArguments& arguments) const {
  const ValueType& x = arguments.inputs[0].type();
  const auto zeros = [&](int64_t channels) { return constant(graph, {x.dtype, x.shape.with(-1, channels)}, 0); };
  const int64_t after = x.shape[-1] - begin - count;
  std::vector<Value> pieces;
  if (begin > 0) {
    pieces.push_back(zeros(begin));
  }
  pieces.push_back(arguments.output_gradients[0]);
  if (after > 0) {
    pieces.push_back(zeros(after));
  }
  return {concat(pieces)};
}

Cost SliceChannels::cost(std::span<const ValueType>, std::span<const ValueType> outputs) const {
  return {0, 2 * outputs[0].bytes()};
}

Kernel SliceChannels::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                              const PrepareOptions& options) const {
  return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(copy_channels), begin, int64_t{0}, count);
}

Value concat(std::span<const Value> values) {
  if (values.empty()) {
    fail("concat: expects one or more values");
  }
  return values.size() == 1 ? values[0] : values[0].graph().apply(std::make_shared<const Concat>(), values).front();
}

Value slice_channels(Value x, int64_t begin, int64_t count) {
  return x.graph().record(SliceChannels(begin, count), {x});
}

}  // namespace fer
