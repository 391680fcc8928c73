#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](int64_t rows, int64_t in, int64_t out, bool bias) {
    std::vector<CaseInput> inputs{{DType::f32, {rows, in}}, {DType::f32, {out, in}}};
    if (bias) {
      inputs.push_back({DType::f32, {out}});
    }
    cases.push_back({"linear/" + std::to_string(rows) + "x" + std::to_string(in) + "_to_" + std::to_string(out) +
                         (bias ? "" : "_no_bias"),
                     inputs, [=](auto x) { return linear(x[0], x[1], bias ? std::optional(x[2]) : std::nullopt); }});
  };
  add(5, 13, 7, true);
  add(5, 13, 7, false);
  add(1, 1, 1, true);
  add(1, 7, 2, true);
  add(2, 127, 3, true);
  add(7, 128, 2, false);
  add(3, 2, 129, true);
  add(129, 3, 2, true);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
