#include "tests/cases/run_case.h"

#include <algorithm>
#include <cmath>

namespace fer::test {

std::vector<double> uniform(const std::string& name, int64_t count) {
  const uint64_t hash = hash_of(name);
  std::vector<double> result(static_cast<size_t>(count));
  for (size_t i = 0; i < result.size(); ++i) {
    uint64_t z = hash + (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    result[i] = static_cast<double>(z >> 11) * 0x1p-52 - 1.0;
  }
  return result;
}

namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

Tensor fill(const CaseInput& input, const std::string& name) {
  const std::vector<double> random = uniform(name, input.shape.size());
  Tensor values(is_float(input.dtype) ? DType::f64 : input.dtype, input.shape);
  for (size_t i = 0; i < random.size(); ++i) {
    const double unit = (random[i] + 1) / 2;
    switch (values.dtype()) {
      case DType::f64:
        values.data<double>()[i] = input.low + (input.high - input.low) * unit;
        break;
      case DType::i32:
        values.data<int32_t>()[i] = static_cast<int32_t>(input.low + std::floor((input.high - input.low + 1) * unit));
        break;
      case DType::u8:
        values.data<uint8_t>()[i] = static_cast<uint8_t>(input.low + std::floor((input.high - input.low + 1) * unit));
        break;
      default:
        fail("case: inputs are f32, i32 or u8");
    }
  }
  return values;
}

}  // namespace

RecordedCase::RecordedCase(const Case& one, DType dtype, bool with_gradients) : case_(one), dtype_(dtype) {
  std::vector<Value> wrt;
  for (size_t i = 0; i < one.inputs.size(); ++i) {
    const CaseInput& input = one.inputs[i];
    const std::string name = one.name + ".in" + std::to_string(i);
    const DType type = is_float(input.dtype) ? dtype : input.dtype;
    inputs_.push_back(input.variable ? graph_.variable(name, {type, input.shape}, nullptr, false)
                                     : graph_.input(name, type, input.shape));
    values_.push_back(fill(input, name));
    if (with_gradients && is_float(input.dtype) && input.differentiate && !input.variable) {
      differentiated_.push_back(i);
      wrt.push_back(inputs_.back());
    }
  }
  const Value y = one.build(inputs_);
  outputs_.push_back(y);
  if (!wrt.empty()) {
    cotangent_input_ = graph_.input("cotangent", dtype, y.shape());
    cotangent_ = Tensor::from(y.shape(), uniform(one.name + ".dy", y.shape().size()).data());
    for (Value gradient : gradients(y, wrt, cotangent_input_)) {
      outputs_.push_back(gradient);
    }
  }
}

double relative_difference(const Tensor& actual, const Tensor& expected) {
  double largest = 1e-3, worst = 0;
  for (double element : expected.as<const double>()) {
    largest = std::max(largest, std::abs(element));
  }
  for (int64_t i = 0; i < actual.size(); ++i) {
    const double a = actual.data<double>()[i], e = expected.data<double>()[i];
    const double difference = std::isnan(a) && std::isnan(e) ? 0 : std::abs(a - e);
    worst = difference > worst || std::isnan(difference) ? difference : worst;
  }
  return worst / largest;
}

std::vector<Tensor> RecordedCase::run(const std::vector<Tensor>& inputs, const PlanOptions& options) {
  return run(inputs, options, test_device(dtype_));
}

std::vector<Tensor> RecordedCase::run(const std::vector<Tensor>& inputs, const PlanOptions& options, Device device) {
  auto variables = std::make_shared<Variables>(0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (case_.inputs[i].variable) {
      variables->set(case_.name + ".in" + std::to_string(i), inputs[i].converted(inputs_[i].dtype()));
    }
  }
  Executor executor = make_executor(graph_, outputs_, variables, device, options);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!case_.inputs[i].variable) {
      executor.feed(inputs_[i], inputs[i].converted(inputs_[i].dtype()).view());
    }
  }
  if (cotangent_input_.valid()) {
    executor.feed(cotangent_input_, cotangent_.converted(dtype_).view());
  }
  executor.run({.seed = 7, .step = 3});
  std::vector<Tensor> results;
  for (Value output : outputs_) {
    results.push_back(Tensor(executor.read(output), nullptr).converted(DType::f64));
  }
  return results;
}

}  // namespace fer::test
