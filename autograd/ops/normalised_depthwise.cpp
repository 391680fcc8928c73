#include "autograd/ops/normalised_depthwise.h"

#include "autograd/ops/make_kernel.h"

namespace fer {

std::vector<ValueType> NormalisedDepthwise::of_norm(std::span<const ValueType> inputs,
                                                    const ValueType& convolved) const {
  std::vector<ValueType> all{convolved};
  all.insert(all.end(), inputs.begin() + static_cast<std::ptrdiff_t>(of_convolution()), inputs.end());
  return all;
}

std::vector<ValueType> NormalisedDepthwise::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < of_convolution()) {
    fail(name(), ": takes a convolution's inputs and a batch-norm's, was given ", inputs.size());
  }
  const ValueType convolved = convolution_.infer(inputs.first(of_convolution()))[0];
  std::vector<ValueType> outputs = norm_.infer(of_norm(inputs, convolved));
  outputs.push_back(convolved);
  return outputs;
}

// The convolution's result is written, and read once.
Cost NormalisedDepthwise::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const Cost convolution = convolution_.cost(inputs.first(of_convolution()), outputs.subspan(3));
  const Cost norm = norm_.cost(of_norm(inputs, outputs[3]), outputs.first(3));
  return {convolution.flops + norm.flops, moved_bytes(inputs, outputs) + outputs[3].bytes()};
}

std::vector<int> NormalisedDepthwise::mutates() const {
  std::vector<int> inputs = norm_.mutates();
  for (int& input : inputs) {
    input += static_cast<int>(of_convolution()) - 1;
  }
  return inputs;
}

std::optional<Recipe> NormalisedDepthwise::recipe(int output) const {
  if (output == 3) {
    return Recipe{std::make_shared<DepthwiseForward>(convolution_),
                  bias_ ? std::vector<int>{0, 1, 2} : std::vector<int>{0, 1}};
  }
  std::optional<Recipe> recipe = norm_.recipe(output);
  if (recipe) {
    for (int& input : recipe->inputs) {
      input = input == 0 ? ~3 : input > 0 ? input + static_cast<int>(of_convolution()) - 1 : input;
    }
  }
  return recipe;
}

Kernel NormalisedDepthwise::prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                                    const PrepareOptions& options) const {
  if (options.cuda == nullptr) {
    fail(name(), ": is for device cuda");
  }
  return with_launchers(*this, inputs[0].dtype, options, [&]<class T>(const cuda::Launchers<T>& launchers) {
    Kernel kernel;
    kernel.run = [self = *this, convolve = launchers.depthwise_forward, normalise = launchers.batch_norm_training,
                  options](const StepContext*, auto in, auto out, std::byte* workspace) {
      const auto numbers = [&](size_t i) { return in[i].template as<const float>(); };
      const size_t gamma = self.of_convolution();
      const auto y = out[3].template as<T>();
      const int parts =
          convolve(self.convolution_.params, in[0].template as<const T>(), numbers(1),
                   self.bias_ ? numbers(2) : View<const float>{}, y, options.stream, workspace, options.reference);
      normalise(self.norm_.params, self.norm_.activation, View<const T>(y), numbers(gamma), numbers(gamma + 1),
                self.norm_.has_residual ? in[gamma + 4].template as<const T>() : View<const T>{},
                in[gamma + 2].template as<float>(), in[gamma + 3].template as<float>(), out[0].template as<T>(),
                out[1].template as<float>(), out[2].template as<float>(), workspace, options.stream, parts,
                options.reference);
    };
    kernel.workspace_bytes = options.cuda->batch_norm_workspace_bytes(outputs[3].shape[-1]);
    kernel.device = Device::cuda;
    kernel.reads.assign(inputs.size(), DType::f32);
    kernel.reads[0] = dtype_of<T>();
    if (norm_.has_residual) {
      kernel.reads.back() = dtype_of<T>();
    }
    kernel.writes = {dtype_of<T>(), DType::f32, DType::f32, dtype_of<T>()};
    return kernel;
  });
}

}  // namespace fer
