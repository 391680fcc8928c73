#include "autograd/ops/folded_convolution.h"

#include <algorithm>

#include "autograd/ops/make_kernel.h"
#include "kernels/depthwise.h"
#include "kernels/fold_batch_norm.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

template <class T>
std::vector<T> FoldedConvolution::of_norm(std::span<const T> all, const T& result) const {
  std::vector<T> inputs{result};
  const auto rest = all.subspan(of_convolution(all).size());
  inputs.insert(inputs.end(), rest.begin(), rest.end());
  return inputs;
}

std::vector<ValueType> FoldedConvolution::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 6) {
    fail(name(), ": takes 6 inputs or more, was given ", inputs.size());
  }
  return norm_->infer(of_norm(inputs, convolution_->infer(of_convolution(inputs))[0]));
}

Cost FoldedConvolution::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const int64_t flops = convolution_->cost(of_convolution(inputs), outputs).flops;
  return {flops + (norm_->has_residual ? 2 : 1) * outputs[0].shape.size(), moved_bytes(inputs, outputs)};
}

// The residual's, which a convolution adds its results to.
std::vector<int> FoldedConvolution::in_place() const {
  return norm_->has_residual ? std::vector<int>{bias_ ? 7 : 6} : std::vector<int>{};
}

Kernel FoldedConvolution::prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                                  const PrepareOptions& options) const {
  if (takes_prepared(inputs[0].dtype, options)) {
    return prepare_fast(inputs, outputs[0], options.weights_stay);
  }
  const Kernel convolution = convolution_->prepare(of_convolution(inputs), outputs, options);
  const Kernel norm = norm_->prepare(of_norm(inputs, outputs[0]), outputs, options);
  // What lies in the result's place may be the residual: the convolution's result goes elsewhere then.
  const int64_t result_at = round_up(std::max(convolution.workspace_bytes, norm.workspace_bytes), memory_alignment);
  Kernel both{[self = *this, convolution, norm, result_at](const StepContext* step, std::span<const AnyView> in,
                                                           std::span<const AnyView> out, std::byte* workspace) {
                AnyView result = out[0];
                if (self.norm_->has_residual) {
                  result.data = workspace + result_at;
                }
                convolution.run(step, self.of_convolution(in), std::span(&result, 1), workspace);
                norm.run(step, self.of_norm(in, result), out, workspace);
              },
              result_at + (norm_->has_residual ? outputs[0].bytes() : 0), convolution.device};
  if (!norm.reads.empty()) {
    const auto read = of_convolution(std::span(convolution.reads));
    both.reads.assign(read.begin(), read.end());
    both.reads.insert(both.reads.end(), norm.reads.begin() + 1, norm.reads.end());
    both.writes = norm.writes;
  }
  return both;
}

Kernel FoldedConvolution::prepare_fast(std::span<const ValueType> inputs, const ValueType& output,
                                       bool weights_stay) const {
  const Shape w = inputs[1].shape;
  const Activation activation = norm_->activation;
  const bool add = norm_->has_residual;
  PreparedConv2dForward run;
  if (depthwise_) {
    run.run = [params = params_, activation](auto x, auto w, auto b, auto y, std::byte*) {
      depthwise_forward<float>(params, x, w, b, y, activation);
    };
  } else {
    run = prepare_conv2d_forward(params_, inputs[0].shape, w, output.shape, true, {add, activation}, weights_stay);
  }
  const size_t norm = bias_ ? 3 : 2;  // of its inputs
  const int64_t bias_at = round_up(std::max(inputs[1].bytes(), run.kept_bytes), memory_alignment);
  const int64_t folded_bytes = bias_at + inputs[norm].bytes();
  const auto fold = [=, bias = bias_, epsilon = norm_->params.epsilon](std::span<const AnyView> in, std::byte* weights,
                                                                       std::byte* folded) {
    const auto given = [&](size_t i) { return in[i].as<const float>(); };
    fold_batch_norm(epsilon, given(1), bias ? given(2) : View<const float>{}, given(norm), given(norm + 1),
                    given(norm + 2), given(norm + 3), {reinterpret_cast<float*>(weights), w},
                    {reinterpret_cast<float*>(folded + bias_at), in[norm].shape});
  };
  const auto convolve = [=, run = run.run](std::span<const AnyView> in, std::span<const AnyView> out,
                                           const std::byte* folded, std::byte* workspace) {
    const auto y = out[0].as<float>();
    const float* const residual = add ? in[norm + 4].as<const float>().data : y.data;
    if (residual != y.data) {
      parallel_for(y.size(), 1 << 15,
                   [&](int64_t begin, int64_t end) { std::copy(residual + begin, residual + end, y.data + begin); });
    }
    run(in[0].as<const float>(), {reinterpret_cast<const float*>(folded), w},
        {reinterpret_cast<const float*>(folded + bias_at), in[norm].shape}, y, workspace);
  };
  Kernel kernel;
  if (weights_stay) {
    kernel.kept_bytes = folded_bytes;
    kernel.keep = [=, keep = run.keep, own_form = run.kept_bytes > 0](std::span<const AnyView> in, std::byte* folded) {
      const Block plain(own_form ? aligned_bytes<float>(w.size()) : 0);
      fold(in, own_form ? plain.data() : folded, folded);
      if (own_form) {
        keep(reinterpret_cast<const float*>(plain.data()), folded);
      }
    };
    kernel.workspace_bytes = run.workspace_bytes;
    kernel.run = [convolve](const StepContext*, auto in, auto out, std::byte* workspace) {
      convolve(in, out, static_cast<const std::byte*>(in.back().data), workspace);
    };
  } else {
    // Behind the convolution's workspace, where its threads' own parts lie at the same places each time.
    const int64_t folded_at = round_up(run.workspace_bytes, memory_alignment);
    kernel.workspace_bytes = folded_at + folded_bytes;
    kernel.run = [=](const StepContext*, auto in, auto out, std::byte* workspace) {
      fold(in, workspace + folded_at, workspace + folded_at);
      convolve(in, out, workspace + folded_at, workspace);
    };
  }
  kernel.saved_flops = run.saved_flops;
  return kernel;
}

}  // namespace fer
