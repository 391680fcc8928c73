// The pooling operations that the fusion pass knows; everyone else calls max_pool() from ops.h.
#pragma once

#include "autograd/operation.h"
#include "kernels/pool.h"

namespace fer {

// dy (perhaps with the argmax before it) -> dx of shape x.
class PoolBackward : public Operation {
 public:
  PoolBackward(const char* name, const PoolParams& params, const Shape& x) : params_(params), x_(x), name_(name) {}

  std::string name() const override { return name_; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override { return {{inputs.back().dtype, x_}}; }
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    return {x_.size(), moved_bytes(inputs, outputs)};
  }

 protected:
  const PoolParams params_;
  const Shape x_;

 private:
  const char* name_;
};

// argmax, dy -> dx.
class MaxPoolBackward : public PoolBackward {
 public:
  MaxPoolBackward(const PoolParams& params, const Shape& x) : PoolBackward("max_pool_backward", params, x) {}

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;
};

// x -> y, argmax (u8: places in a window).
class MaxPool : public Operation {
 public:
  explicit MaxPool(const PoolParams& params) : params(params) {}

  std::string name() const override { return "max_pool"; }
  Attributes attributes() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Value> gradient(Graph& graph, const GradientArguments& arguments) const override;
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType> outputs,
                 const PrepareOptions& options) const override;

  const PoolParams params;
};

}  // namespace fer
