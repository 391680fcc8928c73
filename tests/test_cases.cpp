// Every check that follows from the table of cases.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "tests/cases/run_case.h"

namespace fer::test {

namespace {

double largest(const Tensor& tensor) {
  double most = 0;
  for (double element : tensor.as<const double>()) {
    most = std::max(most, std::abs(element));
  }
  return most;
}

void check_close(const Case& one, const std::string& what, const Tensor& actual, const Tensor& expected,
                 double tolerance) {
  REQUIRE(actual.shape() == expected.shape());
  const double difference = relative_difference(actual, expected);
  INFO(one.name, ": ", what, " differs by ", difference, ", allowed ", tolerance);
  CHECK(difference <= tolerance);
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    sum += a.data<double>()[i] * b.data<double>()[i];
  }
  return sum;
}

// Central differences against the recorded gradient. At a kink the two one-sided differences disagree: such elements
// are left out, and may be at most 2% (or one).
void check_gradients(const Case& one) {
  RecordedCase recorded(one, DType::f64, true);
  RecordedCase forward(one, DType::f64, false);
  const std::vector<Tensor> results = recorded.run(recorded.inputs());
  const double at = dot(results[0], recorded.cotangent());
  const auto value_with = [&](size_t input, int64_t element, double step) {
    std::vector<Tensor> inputs = recorded.inputs();
    inputs[input] = inputs[input].clone();
    inputs[input].data<double>()[element] += step;
    return dot(forward.run(inputs)[0], recorded.cotangent());
  };
  for (size_t g = 0; g < recorded.differentiated().size(); ++g) {
    const size_t input = recorded.differentiated()[g];
    const Tensor& gradient = results[g + 1];
    const double scale = std::max({largest(gradient), 1e-2});
    const double step = one.gradient_step;
    int64_t kinks = 0;
    const int64_t stride = std::max<int64_t>(1, gradient.size() / 400);  // a sample of large inputs
    for (int64_t i = 0; i < gradient.size(); i += stride) {
      const double above = value_with(input, i, step), below = value_with(input, i, -step);
      const double central = (above - below) / (2 * step);
      const double recorded_here = gradient.data<double>()[i];
      if (std::abs(central - recorded_here) <= 1e-6 * scale + 1e-9) {
        continue;
      }
      const double one_sided_gap = std::abs((above - at) - (at - below)) / step;
      INFO(one.name, ": gradient of input ", input, " at ", i, " is ", recorded_here, ", central difference ", central);
      REQUIRE(one_sided_gap > 1e-4 * scale);
      ++kinks;
    }
    CHECK(kinks <= std::max<int64_t>(1, gradient.size() / stride / 50));
  }
}

}  // namespace

TEST_CASE("cases: gradients agree with central differences in double") {
  for (const Case& one : cases()) {
    if (one.gradient_check) {
      CAPTURE(one.name);
      check_gradients(one);
    }
  }
}

TEST_CASE("cases: float agrees with double, fast path with plain loop") {
  for (const Case& one : cases()) {
    CAPTURE(one.name);
    RecordedCase exact(one, DType::f64, one.gradient_check);
    RecordedCase single(one, DType::f32, one.gradient_check);
    const auto expected = exact.run(exact.inputs());
    const auto fast = single.run(single.inputs());
    PlanOptions plain;
    plain.kernels.reference = true;
    const auto reference = single.run(single.inputs(), plain);
    for (size_t i = 0; i < expected.size(); ++i) {
      check_close(one, "output " + std::to_string(i), fast[i], expected[i], one.tolerance);
      check_close(one, "reference output " + std::to_string(i), reference[i], expected[i], one.tolerance);
    }
  }
}

TEST_CASE("cases: fences around every value stay whole, and plans agree bit for bit") {
  for (const Case& one : cases()) {
    CAPTURE(one.name);
    RecordedCase single(one, DType::f32, one.gradient_check);
    PlanOptions guarded, unshared;
    guarded.guard = true;
    unshared.share = false;
    const auto shared = single.run(single.inputs());
    for (const PlanOptions& options : {guarded, unshared}) {
      const auto other = single.run(single.inputs(), options);
      for (size_t i = 0; i < shared.size(); ++i) {
        CHECK(std::memcmp(shared[i].data<double>(), other[i].data<double>(), static_cast<size_t>(shared[i].bytes())) ==
              0);
      }
    }
  }
}

}  // namespace fer::test
