#include "tests/cases/augment_cases.h"
#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, Shape x, const AugmentParams& params) {
    cases.push_back({"augment/" + name, {{DType::f32, x, 0, 1}}, [=](auto in) { return augment(in[0], params); }});
    cases.back().gradient_check = false;
    cases.back().tolerance = 5e-5;  // coordinates in float, on images that are noise
  };
  each_augment_case(add);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
