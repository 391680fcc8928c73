#include "tests/cases/case.h"

namespace fer::test {

namespace {

// Identity plus `delta`: thetas drawn close to it keep most of the image, those drawn far lose most of it.
Value near_identity(Value delta) {
  const Shape shape = delta.shape();  // a copy: recording moves what shape() refers to
  const ValueType type{delta.dtype(), {shape[0], 1}};
  const Value one = constant(delta.graph(), type, 1), zero = constant(delta.graph(), type, 0);
  const Value parts[] = {one, zero, zero, zero, one, zero};
  return add(reshape(concat(parts), shape), delta);
}

}  // namespace

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, Shape x, int64_t height, int64_t width, double spread) {
    cases.push_back({"affine_grid_sample/" + name,
                     {{DType::f32, x}, {DType::f32, {x[0], 2, 3}, -spread, spread}},
                     [=](auto in) { return affine_grid_sample(in[0], near_identity(in[1]), height, width); },
                     5e-5});
  };
  add("near", {2, 7, 6, 3}, 7, 6, 0.2);
  add("far", {3, 6, 7, 2}, 6, 7, 1.5);
  add("outside", {2, 5, 5, 2}, 5, 5, 6);
  add("one_channel", {1, 9, 9, 1}, 9, 9, 0.4);
  add("channels_129", {1, 3, 3, 129}, 2, 3, 0.5);
  add("grow", {2, 4, 5, 3}, 9, 7, 0.3);
  add("shrink", {2, 9, 8, 3}, 3, 4, 0.3);
  add("one_pixel", {2, 1, 1, 3}, 1, 1, 0.3);
  add("one_pixel_to_many", {1, 1, 1, 2}, 4, 5, 0.3);
  add("row", {1, 1, 7, 2}, 2, 6, 0.3);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
