// Concatenation and slicing as classes, for the passes of planning; everyone else calls concat() and slice_channels()
// from ops.h.
#pragma once

#include "autograd/operation.h"

namespace fer {

// Values [...,C_i] -> [...,sum of C_i].
class Concat : public Operation {
 public:
  std::string name() const override { return "concat"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;
};

// x [...,C] -> channels begin to begin + count - 1.
class SliceChannels : public Operation {
 public:
  SliceChannels(int64_t begin, int64_t count) : begin(begin), count(count) {}

  std::string name() const override { return "slice_channels"; }
  Attributes attributes() const override { return {{"begin", static_cast<double>(begin)}}; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const int64_t begin, count;
};

}  // namespace fer
