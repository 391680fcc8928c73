// The batch-normalisation operations as classes, for the fusion pass; everyone else calls batch_norm() from ops.h.
#pragma once

#include "autograd/operation.h"
#include "kernels/batch_norm.h"

namespace fer {

// x [...,C], gamma, beta, running_mean, running_var [, residual as x] -> y = f(normalised x + residual), batch mean
// [C], inverse standard deviation [C]. Updates running_mean and running_var.
class BatchNormTraining : public Operation {
 public:
  explicit BatchNormTraining(const BatchNormParams& params, Activation activation = Activation::identity,
                             bool has_residual = false)
      : params(params), activation(activation), has_residual(has_residual) {}

  std::string name() const override { return "batch_norm"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  std::vector<int> mutates() const override { return {3, 4}; }
  std::optional<Recipe> recipe(int output) const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
  const bool has_residual;
};

// The same inputs -> y, by the running statistics.
class BatchNormInference : public Operation {
 public:
  explicit BatchNormInference(const BatchNormParams& params, Activation activation = Activation::identity,
                              bool has_residual = false)
      : params(params), activation(activation), has_residual(has_residual) {}

  std::string name() const override { return "batch_norm_inference"; }
  Attributes attributes() const override { return {{"epsilon", params.epsilon}}; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
  const bool has_residual;
};

// x, gamma, beta, mean, inverse_std [, residual as x] -> BatchNormTraining's y once more, by the statistics it left.
class BatchNormAgain : public Operation {
 public:
  BatchNormAgain(Activation activation, bool has_residual) : activation_(activation), has_residual_(has_residual) {}

  std::string name() const override { return "batch_norm_again"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

 private:
  const Activation activation_;
  const bool has_residual_;
};

// dy, x, mean, inverse_std, gamma, beta -> dx, dgamma, dbeta of f(normalised x). Neither y nor the pre-activation need
// be kept: they follow from x.
class BatchNormTrainingBackward : public Operation {
 public:
  explicit BatchNormTrainingBackward(const BatchNormParams& params, Activation activation = Activation::identity)
      : params(params), activation(activation) {}

  std::string name() const override { return "batch_norm_backward"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {0}; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
};

// dy, x, gamma, beta, running_mean, running_var -> dx, dgamma, dbeta of f(normalised x).
class BatchNormInferenceBackward : public Operation {
 public:
  explicit BatchNormInferenceBackward(const BatchNormParams& params, Activation activation = Activation::identity)
      : params(params), activation(activation) {}

  std::string name() const override { return "batch_norm_inference_backward"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {0}; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const BatchNormParams params;
  const Activation activation;
};

}  // namespace fer
