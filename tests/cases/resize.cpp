#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, Shape x, int64_t height, int64_t width) {
    cases.push_back(
        {"resize_bilinear/" + name, {{DType::f32, x}}, [=](auto in) { return resize_bilinear(in[0], height, width); }});
  };
  add("grow", {2, 5, 4, 3}, 9, 7);
  add("shrink", {2, 9, 7, 3}, 4, 5);
  add("same", {1, 5, 6, 2}, 5, 6);
  add("48_to_75", {1, 48, 48, 1}, 75, 75);
  add("one_pixel", {2, 1, 1, 3}, 4, 5);
  add("to_one_pixel", {2, 5, 4, 3}, 1, 1);
  add("row", {1, 1, 7, 1}, 3, 2);
  add("channels_129", {1, 3, 2, 129}, 4, 5);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
