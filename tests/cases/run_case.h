// Records a case as a graph, feeds it, runs it.
#pragma once

#include <memory>

#include "tests/cases/case.h"
#include "tests/device.h"

namespace fer::test {

// Uniform numbers in [-1, 1) from a name: the formula of the golden files.
std::vector<double> uniform(const std::string& name, int64_t count);

// The largest difference between two tensors of f64, relative to the largest magnitude expected (at least 1e-3); NaN
// where only one of two elements is NaN.
double relative_difference(const Tensor& actual, const Tensor& expected);

// A case in one floating-point type, with the gradients of sum(y * cotangent) with respect to the inputs that want
// them.
class RecordedCase {
 public:
  RecordedCase(const Case& one, DType dtype, bool with_gradients);

  // Runs a plan of it with these inputs (f64, converted); y and the gradients come back as f64. Without a device: on
  // test_device().
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const PlanOptions& options = {});
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const PlanOptions& options, Device device);

  // The case's own inputs, f64 or integers.
  const std::vector<Tensor>& inputs() const { return values_; }
  const Tensor& cotangent() const { return cotangent_; }
  // Which inputs the gradients after y belong to.
  const std::vector<size_t>& differentiated() const { return differentiated_; }

 private:
  const Case& case_;
  DType dtype_;
  Graph graph_;
  std::vector<Value> inputs_;
  std::vector<Tensor> values_;
  std::vector<size_t> differentiated_;
  Value cotangent_input_;
  Tensor cotangent_;
  std::vector<Value> outputs_;
};

}  // namespace fer::test
