#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  for (int64_t size : {1, 7, 64, 129, 1000}) {
    cases.push_back(
        {"dropout/" + std::to_string(size), {{DType::f32, {size}}}, [](auto in) { return dropout(in[0], 0.4); }});
  }
  cases.push_back(
      {"dropout/twice", {{DType::f32, {5, 13}}}, [](auto in) { return dropout(dropout(in[0], 0.25), 0.5); }});
  cases.push_back({"dropout/samples", {{DType::f32, {9, 3, 3, 2}}}, [](auto in) { return drop_samples(in[0], 0.5); }});
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
