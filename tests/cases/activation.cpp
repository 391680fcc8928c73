#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  for (Activation activation :
       {Activation::relu, Activation::relu6, Activation::silu, Activation::sigmoid, Activation::tanh}) {
    for (int64_t size : {1, 2, 7, 127, 128, 129}) {
      cases.push_back({std::string(name_of(activation)) + "/" + std::to_string(size),
                       {{DType::f32, {3, size}, -8, 8}},
                       [=](auto in) { return activate(activation, in[0]); }});
    }
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
