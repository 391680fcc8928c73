#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](std::string name, Shape x, int64_t rows, int64_t columns, int64_t stride, Padding padding,
                       bool bias) {
    std::vector<CaseInput> inputs{{DType::f32, x}, {DType::f32, {rows, columns, x[3]}}};
    if (bias) {
      inputs.push_back({DType::f32, {x[3]}});
    }
    cases.push_back({"depthwise/" + name, inputs, [=](auto in) {
                       return depthwise_conv2d(in[0], in[1], bias ? std::optional(in[2]) : std::nullopt,
                                               {.stride = stride, .padding = padding});
                     }});
  };
  for (int64_t kernel : {3, 5}) {
    for (int64_t stride : {1, 2}) {
      const std::string name = std::to_string(kernel) + "x" + std::to_string(kernel) + "_s" + std::to_string(stride);
      add(name, {2, 7, 12, 9}, kernel, kernel, stride, symmetric_padding(kernel / 2), true);
      add(name + "_same", {2, 6, 9, 8}, kernel, kernel, stride, same_padding(6, 9, kernel, stride), false);
      add(name + "_valid", {1, 7, 18, 5}, kernel, kernel, stride, {}, true);
      add(name + "_2x2_maps", {3, 2, 2, 40}, kernel, kernel, stride, symmetric_padding(kernel / 2), false);
      add(name + "_one_pixel", {2, 1, 1, 7}, kernel, kernel, stride, symmetric_padding(kernel / 2), true);
      for (int64_t channels : {1, 2, 127, 128, 129}) {
        add(name + "_c" + std::to_string(channels), {1, 3, 5, channels}, kernel, kernel, stride,
            symmetric_padding(kernel / 2), true);
      }
    }
  }
  add("3x3_s1_wide_padding", {2, 4, 5, 6}, 3, 3, 1, {4, 1, 0, 3}, true);
  add("3x3_s2_wide_padding", {2, 4, 5, 6}, 3, 3, 2, {4, 1, 0, 3}, true);
  add("3x3_s3", {2, 8, 7, 9}, 3, 3, 3, symmetric_padding(1), true);
  add("2x4_s1", {2, 5, 6, 9}, 2, 4, 1, {0, 1, 2, 1}, true);
  add("7x3_s2", {2, 9, 6, 9}, 7, 3, 2, {3, 3, 1, 1}, false);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
