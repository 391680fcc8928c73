#include "autograd/ops/elementwise.h"

#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  for (int64_t size : {1, 7, 129}) {
    const CaseInput x{DType::f32, {3, size}};
    const std::string suffix = std::string("/").append(std::to_string(size));
    cases.push_back({"add" + suffix, {x, x}, [](auto in) { return add(in[0], in[1]); }});
    cases.push_back({"multiply" + suffix, {x, x}, [](auto in) { return multiply(in[0], in[1]); }});
    cases.push_back({"scale" + suffix, {x}, [](auto in) { return scale(in[0], -2.5); }});
    cases.push_back({"clamp" + suffix, {x}, [](auto in) { return clamp(in[0], -0.5, 0.25); }});
    cases.push_back({"sum" + suffix, {x}, [](auto in) { return sum(in[0]); }});
    cases.push_back({"sign" + suffix, {x}, [](auto in) { return sign(in[0]); }});
    cases.back().gradient_check = false;  // zero, and none recorded
    cases.push_back({"sign_step" + suffix, {x, x}, [](auto in) {
                       return in[0].graph().record(SignStep(0.125, -0.75, 0.75), {in[0], in[1]});
                     }});
    cases.back().gradient_check = false;  // the end of an attack
  }
  for (int64_t size : {1, 7, 129}) {
    const CaseInput x{DType::f32, {3, size}, 0, 1};
    cases.push_back({"ball_step/" + std::to_string(size), {x, x, {DType::f32, {3, size}}}, [](auto in) {
                       return ball_step(in[0], in[1], in[2], 0.125, 0.25);
                     }});
    cases.back().gradient_check = false;  // the end of an attack
  }
  cases.push_back({"add/itself", {{DType::f32, {5}}}, [](auto in) { return add(in[0], in[0]); }});
  cases.push_back({"multiply/itself", {{DType::f32, {5}}}, [](auto in) { return multiply(in[0], in[0]); }});
  cases.push_back({"sum/scalar", {{DType::f32, {}}}, [](auto in) { return sum(in[0]); }});
  cases.push_back({"broadcast/2x3", {{DType::f32, {}}}, [](auto in) {
                     return in[0].graph().record(Broadcast({2, 3}), {in[0]});
                   }});
  cases.push_back({"constant/plus", {{DType::f32, {2, 3}}}, [](auto in) {
                     return add(in[0], constant(in[0].graph(), in[0].type(), 0.5));
                   }});
  cases.push_back({"reshape/of_scaled", {{DType::f32, {2, 3, 4}}}, [](auto in) {
                     return scale(reshape(scale(in[0], 3), {4, 6}), 0.5);
                   }});
  cases.push_back({"flatten/2x3x4", {{DType::f32, {2, 3, 4}}}, [](auto in) { return scale(flatten(in[0]), 2); }});
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
