#include "autograd/ops/finished_convolution.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/make_kernel.h"
#include "tensor/memory.h"

namespace fer {

std::vector<ValueType> FinishedConvolution::infer(std::span<const ValueType> inputs) const {
  check_input_count(*this, inputs, (bias_ ? 3 : 2) + (norm_ ? 4 : 0));
  ValueType y = convolved(inputs);
  if (pool_) {
    y.shape = {y.shape[0], y.shape[1] / 2, y.shape[2] / 2, y.shape[3]};
  }
  return {y};
}

Cost FinishedConvolution::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const ValueType before = convolved(inputs);
  const int64_t flops = convolution_.cost(inputs.first(bias_ ? 3 : 2), std::span(&before, 1)).flops;
  return {flops + (norm_ ? 3 : 0) * before.shape.size() + (pool_ ? 4 : 0) * outputs[0].shape.size(),
          moved_bytes(inputs, outputs)};
}

Kernel FinishedConvolution::prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                                    const PrepareOptions& options) const {
  const Shape w = inputs[1].shape;
  const int64_t channels = w[0];
  const PreparedConv2dForward prepared = prepare_conv2d_forward(
      convolution_.params, inputs[0].shape, w, convolved(inputs).shape, bias_ || norm_,
      {.activation = convolution_.activation, .normalise = norm_.has_value(), .pool = pool_}, options.weights_stay);
  Kernel kernel = convolution_kernel(prepared, options);
  if (norm_) {
    const int64_t vectors_at = round_up(kernel.workspace_bytes, memory_alignment);
    kernel.workspace_bytes = vectors_at + aligned_bytes<float>(4 * channels);
    kernel.run = [=, convolve = kernel.run, bias = bias_, epsilon = norm_->epsilon](
                     const StepContext* step, std::span<const AnyView> in, auto out, std::byte* workspace) {
      const size_t norm = bias ? 3 : 2;
      const auto given = [&](size_t i) { return in[i].as<const float>().data; };
      float* const vectors = reinterpret_cast<float*>(workspace + vectors_at);
      const float *const gamma = given(norm), *const variance = given(norm + 3);
      if (bias) {
        std::copy_n(given(2), channels, vectors);
      } else {
        std::fill_n(vectors, channels, 0.0F);
      }
      std::copy_n(given(norm + 2), channels, vectors + channels);
      for (int64_t c = 0; c < channels; ++c) {
        vectors[2 * channels + c] = static_cast<float>(gamma[c] / std::sqrt(variance[c] + epsilon));
      }
      std::copy_n(given(norm + 1), channels, vectors + 3 * channels);
      // What was kept of the weights comes last.
      const AnyView of_convolution[] = {in[0], in[1], {vectors, DType::f32, {4, channels}}, in.back()};
      convolve(step, std::span(of_convolution).first(in.size() > norm + 4 ? 4 : 3), out, workspace);
    };
  }
  return kernel;
}

}  // namespace fer
