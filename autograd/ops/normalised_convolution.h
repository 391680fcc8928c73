// 1x1 convolutions that normalise what they read: of a batch-norm of training that nobody else reads. Made by fusion,
// for the CPU.
#pragma once

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/conv2d.h"

namespace fer {

// (x, gamma, beta, mean, inverse_std, w) -> convolution(f(batch_norm(x)), w).
class NormalisedConvolution : public ReadsPieces {
 public:
  explicit NormalisedConvolution(Activation activation, int further = 0) : activation_(activation), further_(further) {}

  std::string name() const override { return "batch_norm_conv2d"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  int in_pieces_at() const override { return further_ > 0 ? -1 : 0; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<NormalisedConvolution>(activation_, pieces);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  const Activation activation_;
  const int further_;  // pieces of x
};

// (x, gamma, beta, mean, inverse_std, dy) -> dw.
class NormalisedConvolutionBackwardWeight : public ReadsPieces {
 public:
  explicit NormalisedConvolutionBackwardWeight(Activation activation, int further = 0)
      : activation_(activation), further_(further) {}

  std::string name() const override { return "batch_norm_conv2d_backward_weight"; }
  bool is_weight_gradient() const override { return true; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  int in_pieces_at() const override { return further_ > 0 ? -1 : 0; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<NormalisedConvolutionBackwardWeight>(activation_, pieces);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  const Activation activation_;
  const int further_;  // pieces of x
};

}  // namespace fer
