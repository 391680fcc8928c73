// A convolution with the batch-norm, residual and activation that follow it in evaluation. Made by fusion.
#pragma once

#include <memory>

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/depthwise.h"

namespace fer {

// (x, w[, b], gamma, beta, running_mean, running_var[, residual]) -> f(batch_norm(convolution(x, w[, b])) + residual).
class FoldedConvolution : public Operation {
 public:
  // `Convolution` is Conv2dForward or DepthwiseForward; `bias`: it has one.
  template <class Convolution>
  FoldedConvolution(const Convolution& convolution, bool bias, const BatchNormInference& norm)
      : convolution_(std::make_shared<Convolution>(convolution)),
        norm_(std::make_shared<BatchNormInference>(norm)),
        params_(convolution.params),
        bias_(bias),
        depthwise_(std::is_same_v<Convolution, DepthwiseForward>) {}

  // Whether there are kernels that do the rest of `norm` too. Depthwise ones add no residual.
  static bool fits(const BatchNormInference& norm, bool depthwise) {
    return clamp_range(norm.activation).has_value() && !(depthwise && norm.has_residual);
  }

  std::string name() const override { return convolution_->name() + "_folded"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  Half half() const override { return Half::begins; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  // The convolution's share of `all` inputs. The rest, after the convolution's result, is the batch-norm's.
  template <class T>
  std::span<const T> of_convolution(std::span<const T> all) const {
    return all.first(bias_ ? 3 : 2);
  }
  template <class T>
  std::vector<T> of_norm(std::span<const T> all, const T& result) const;

  Kernel prepare_fast(std::span<const ValueType> inputs, const ValueType& output, bool weights_stay) const;

  std::shared_ptr<const Operation> convolution_;
  std::shared_ptr<const BatchNormInference> norm_;
  Conv2dParams params_;
  bool bias_, depthwise_;
};

}  // namespace fer
