// The batch-normalisation operations as classes, for the fusion pass; everyone else calls batch_norm() from ops.h.
#pragma once

#include "autograd/operation.h"
#include "kernels/batch_norm.h"

namespace fer {

// Takes one input, x, whole or in pieces: the first where x stands, the further ones after all other inputs.
class ReadsPieces : public Operation {
 public:
  // Where x stands; -1 when it must be whole, or is in pieces already.
  virtual int in_pieces_at() const = 0;
  virtual std::shared_ptr<const Operation> in_pieces(int further) const = 0;
};

// x, gamma, beta, running_mean, running_var [, residual as x] -> y = f(normalised x + residual), batch mean [C],
// inverse standard deviation [C]. Updates running_mean and running_var. Without y where those who read it make it
// themselves.
class BatchNormTraining : public ReadsPieces {
 public:
  explicit BatchNormTraining(const BatchNormParams& params, Activation activation = Activation::identity,
                             bool has_residual = false, int further = 0, bool normalises = true)
      : params(params), activation(activation), has_residual(has_residual), further(further), normalises(normalises) {}

  std::string name() const override { return normalises ? "batch_norm" : "batch_norm_statistics"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  std::vector<int> mutates() const override { return {3, 4}; }
  std::optional<Recipe> recipe(int output) const override;
  int in_pieces_at() const override { return has_residual || further > 0 ? -1 : 0; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<BatchNormTraining>(params, activation, has_residual, pieces, normalises);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
  const bool has_residual;
  const int further;      // pieces of x
  const bool normalises;  // false: without y
};

// The same inputs -> y, by the running statistics.
class BatchNormInference : public ReadsPieces {
 public:
  explicit BatchNormInference(const BatchNormParams& params, Activation activation = Activation::identity,
                              bool has_residual = false, int further = 0)
      : params(params), activation(activation), has_residual(has_residual), further(further) {}

  std::string name() const override { return "batch_norm_inference"; }
  Attributes attributes() const override { return {{"epsilon", params.epsilon}}; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  int in_pieces_at() const override { return has_residual || further > 0 ? -1 : 0; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<BatchNormInference>(params, activation, has_residual, pieces);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
  const bool has_residual;
  const int further;  // pieces of x
};

// x, gamma, beta, mean, inverse_std [, residual as x] -> BatchNormTraining's y once more, by the statistics it left.
class BatchNormAgain : public Operation {
 public:
  BatchNormAgain(Activation activation, bool has_residual, int further = 0)
      : activation_(activation), has_residual_(has_residual), further_(further) {}

  std::string name() const override { return "batch_norm_again"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  const Activation activation_;
  const bool has_residual_;
  const int further_;
};

// dy, x, mean, inverse_std, gamma, beta [, added [...,C' >= C]] -> dx + added's first C channels, dgamma, dbeta of
// f(normalised x). Neither y nor the pre-activation need be kept: they follow from x. Where x is what `before` made, dx
// is the gradient of what that was given.
class BatchNormTrainingBackward : public ReadsPieces {
 public:
  explicit BatchNormTrainingBackward(const BatchNormParams& params, Activation activation = Activation::identity,
                                     Activation before = Activation::identity, bool has_added = false, int further = 0)
      : params(params), activation(activation), before(before), has_added(has_added), further(further) {}

  std::string name() const override { return "batch_norm_backward"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {0}; }
  int in_pieces_at() const override { return further > 0 ? -1 : 1; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<BatchNormTrainingBackward>(params, activation, before, has_added, pieces);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation, before;
  const bool has_added;
  const int further;  // pieces of x
};

// dy, x, gamma, beta, running_mean, running_var [, added] -> the same.
class BatchNormInferenceBackward : public ReadsPieces {
 public:
  explicit BatchNormInferenceBackward(const BatchNormParams& params, Activation activation = Activation::identity,
                                      Activation before = Activation::identity, bool has_added = false, int further = 0)
      : params(params), activation(activation), before(before), has_added(has_added), further(further) {}

  std::string name() const override { return "batch_norm_inference_backward"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {0}; }
  int in_pieces_at() const override { return further > 0 ? -1 : 1; }
  std::shared_ptr<const Operation> in_pieces(int pieces) const override {
    return std::make_shared<BatchNormInferenceBackward>(params, activation, before, has_added, pieces);
  }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation, before;
  const bool has_added;
  const int further;  // pieces of x
};

}  // namespace fer
