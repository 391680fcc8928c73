// The activation operations as classes, for the fusion pass; everyone else calls relu(x) and the like from ops.h.
#pragma once

#include "autograd/operation.h"
#include "kernels/activation.h"

namespace fer {

// x -> f(x).
class ActivationForward : public Operation {
 public:
  explicit ActivationForward(Activation activation) : activation(activation) {}

  std::string name() const override { return std::string(name_of(activation)); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {0}; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Activation activation;
};

// (saved, dy) -> dx; saved is x for silu, else f(x).
class ActivationBackward : public Operation {
 public:
  explicit ActivationBackward(Activation activation) : activation(activation) {}

  std::string name() const override { return std::string(name_of(activation)) + "_backward"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place() const override { return {1}; }
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const Activation activation;
};

}  // namespace fer
