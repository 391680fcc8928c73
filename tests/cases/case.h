// The table of cases that drives every check of an operation: gradient check in double, float against double, fast
// path against the plain loop, guard bands, planned against unshared. Each operation adds its own in cases/<name>.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace fer::test {

struct CaseInput {
  DType dtype = DType::f32;  // f32 stands for "the floating-point type of the check"; i32 and u8 are kept
  Shape shape;
  double low = -1;  // filled uniformly in [low, high]; integers in low … high
  double high = 1;
  bool differentiate = true;  // floating-point inputs only
  bool variable = false;      // made a variable (running statistics), so that operations may update it
};

struct Case {
  std::string name;  // "conv2d/3x3_s2_odd"
  std::vector<CaseInput> inputs;
  std::function<Value(std::span<const Value> inputs)> build;
  double tolerance = 1e-5;      // float against double, relative to the largest magnitude of the value
  bool gradient_check = true;   // false only for operations without a gradient
  double gradient_step = 1e-5;  // central difference; inputs of kinked functions are drawn away from kinks by the
                                // check itself (an element whose two one-sided differences disagree is left out,
                                // and at most 2% may be)
};

std::vector<Case>& cases();

// Adds cases at start-up: static const AddCases added{{ … }};
struct AddCases {
  explicit AddCases(std::vector<Case> more);
};

}  // namespace fer::test
