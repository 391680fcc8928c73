// Runs a small graph once, for tests that compare an operation with numbers known beforehand.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "tests/device.h"

namespace fer::test {

template <class T>
Tensor tensor_of(Shape shape, const std::vector<T>& elements) {
  return Tensor::from(shape, elements.data());
}

// The values of `outputs` after one run with these inputs.
inline std::vector<Tensor> evaluate(const std::vector<Value>& outputs,
                                    const std::vector<std::pair<Value, Tensor>>& inputs, const StepContext& step = {},
                                    std::shared_ptr<Variables> variables = std::make_shared<Variables>(0)) {
  Executor executor =
      make_executor(outputs.front().graph(), outputs, std::move(variables), test_device(outputs.front().dtype()));
  for (const auto& [input, elements] : inputs) {
    executor.feed(input, elements.view());
  }
  executor.run(step);
  std::vector<Tensor> results;
  for (Value output : outputs) {
    results.push_back(Tensor(executor.read(output), nullptr).clone());
  }
  return results;
}

}  // namespace fer::test
