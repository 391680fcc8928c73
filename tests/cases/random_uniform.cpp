#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  for (int64_t size : {1, 2, 7, 127, 128, 129}) {
    cases.push_back({"random_uniform/" + std::to_string(size), {{DType::f32, {size}}}, [](auto in) {
                       return add(in[0], random_uniform(in[0].graph(), in[0].type(), -0.25, 0.5));
                     }});
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
