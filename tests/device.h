// The device that the suite runs on: the CPU, or a real GPU under ./dev test --device cuda.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "autograd/executor.h"

namespace fer::test {

// Why tests that need a real GPU are skipped; empty when they are not.
const std::string& gpu_skipped();

// For graphs of type `dtype`: the GPU computes in f32 alone.
Device test_device(DType dtype = DType::f32);

// Runs a plan of `outputs` there.
inline Executor make_executor(const Graph& graph, std::span<const Value> outputs, std::shared_ptr<Variables> variables,
                              Device device, const PlanOptions& options = {}) {
  return Executor(make_plan(graph, outputs, planned_for(device, options)), device, std::move(variables));
}
inline Executor make_executor(const Graph& graph, std::span<const Value> outputs,
                              std::shared_ptr<Variables> variables = std::make_shared<Variables>(0)) {
  return make_executor(graph, outputs, std::move(variables), test_device());
}

}  // namespace fer::test
