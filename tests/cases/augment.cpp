#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, Shape x, const AugmentParams& params) {
    cases.push_back({"augment/" + name, {{DType::f32, x, 0, 1}}, [=](auto in) { return augment(in[0], params); }});
    cases.back().gradient_check = false;
    cases.back().tolerance = 5e-5;  // coordinates in float, on images that are noise
  };
  const AugmentParams all{.rotation = 20,
                          .shift = 0.2,
                          .zoom = 0.2,
                          .shear = 10,
                          .flip = true,
                          .brightness = 0.2,
                          .contrast = 0.3,
                          .erase = 0.5};
  add("none", {2, 5, 4, 1}, {});
  add("flip", {8, 5, 6, 1}, {.flip = true});
  add("rotation", {4, 9, 9, 1}, {.rotation = 30});
  add("shift", {4, 9, 7, 1}, {.shift = 0.5});
  add("brightness", {4, 9, 7, 1}, {.brightness = 0.5});
  add("contrast", {4, 9, 7, 3}, {.contrast = 0.5});
  add("erase", {8, 9, 7, 2}, {.erase = 1});
  add("all", {16, 12, 11, 1}, all);
  add("all_rgb", {5, 13, 12, 3}, all);
  add("all_one_pixel", {3, 1, 1, 1}, all);
  add("all_row", {3, 1, 9, 1}, all);
  add("all_column", {3, 9, 1, 3}, all);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
