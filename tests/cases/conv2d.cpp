#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  struct Convolution {
    const char* name;
    Shape x, w;
    int64_t stride;
    Padding padding;
    bool bias;
  };
  const Convolution convolutions[] = {
      {"3x3_s1", {2, 5, 7, 3}, {4, 3, 3, 3}, 1, symmetric_padding(1), true},
      {"3x3_s1_no_bias", {1, 6, 5, 17}, {9, 3, 3, 17}, 1, symmetric_padding(1), false},
      {"3x3_s1_valid", {2, 5, 6, 7}, {5, 3, 3, 7}, 1, {}, true},
      {"3x3_s2", {2, 7, 8, 5}, {6, 3, 3, 5}, 2, symmetric_padding(1), true},
      {"3x3_s2_same_even", {2, 8, 9, 3}, {4, 3, 3, 3}, 2, same_padding(8, 9, 3, 2), true},
      {"3x3_one_channel", {2, 9, 9, 1}, {8, 3, 3, 1}, 1, symmetric_padding(1), true},
      {"3x3_one_pixel", {3, 1, 1, 7}, {2, 3, 3, 7}, 1, symmetric_padding(1), false},
      {"3x3_2x2_maps", {4, 2, 2, 16}, {16, 3, 3, 16}, 1, symmetric_padding(1), false},
      {"3x3_tiles", {2, 5, 7, 16}, {32, 3, 3, 16}, 1, symmetric_padding(1), true},
      {"3x3_tiles_s2_same", {1, 8, 7, 33}, {17, 3, 3, 33}, 2, same_padding(8, 7, 3, 2), true},
      {"3x3_more_than_a_chunk", {1, 2, 3, 129}, {18, 3, 3, 129}, 1, symmetric_padding(1), true},
      {"5x5_tiles", {1, 13, 11, 20}, {3, 5, 5, 20}, 1, symmetric_padding(2), false},
      {"3x3_several_blocks", {1, 18, 17, 16}, {16, 3, 3, 16}, 1, {}, false},
      {"3x3_winograd_of_2", {13, 2, 2, 32}, {64, 3, 3, 32}, 1, symmetric_padding(1), true},
      {"3x3_winograd_of_3", {5, 9, 6, 64}, {32, 3, 3, 64}, 1, symmetric_padding(1), true},
      {"3x3_winograd_of_4", {2, 12, 7, 32}, {96, 3, 3, 32}, 1, {1, 0, 2, 1}, true},
      {"3x3_winograd_padded", {1, 13, 12, 32}, {32, 3, 3, 32}, 1, symmetric_padding(2), false},
      {"3x3_winograd_in_blocks", {5, 3, 3, 512}, {192, 3, 3, 512}, 1, symmetric_padding(1), false},
      {"5x5_winograd", {3, 9, 8, 32}, {64, 5, 5, 32}, 1, {2, 1, 0, 3}, true},
      {"3x3_rgb_to_many", {3, 13, 10, 3}, {64, 3, 3, 3}, 1, {1, 0, 2, 1}, true},
      {"3x3_grey_to_many", {2, 3, 101, 1}, {32, 3, 3, 1}, 1, symmetric_padding(1), false},
      {"5x4_few_to_many", {1, 9, 33, 4}, {96, 5, 4, 4}, 1, symmetric_padding(2), true},
      {"5x5_asymmetric", {2, 6, 7, 2}, {3, 5, 5, 2}, 1, {1, 3, 0, 2}, true},
      {"5x5_s3", {1, 11, 10, 2}, {3, 5, 5, 2}, 3, symmetric_padding(2), true},
      {"7x7_s2", {2, 9, 9, 3}, {5, 7, 7, 3}, 2, symmetric_padding(3), true},
      {"3x2_rows_not_columns", {2, 5, 6, 3}, {4, 3, 2, 3}, 1, {1, 1, 0, 1}, true},
      {"1x1", {2, 3, 4, 7}, {11, 1, 1, 7}, 1, {}, true},
      {"1x1_one", {1, 1, 1, 1}, {1, 1, 1, 1}, 1, {}, true},
      {"1x1_s2", {2, 5, 5, 8}, {10, 1, 1, 8}, 2, {}, false},
      {"1x1_s2_even", {2, 4, 4, 6}, {5, 1, 1, 6}, 2, {}, true},
      {"1x1_127_to_2", {1, 2, 3, 127}, {2, 1, 1, 127}, 1, {}, true},
      {"1x1_2_to_129", {1, 2, 3, 2}, {129, 1, 1, 2}, 1, {}, true},
      {"1x1_many_weights", {1, 1, 2, 512}, {256, 1, 1, 512}, 1, {}, true},
      {"1x1_rows_of_two_threads", {2, 17, 18, 5}, {7, 1, 1, 5}, 1, {}, true},
      {"1x1_s2_rows_of_two_threads", {3, 29, 28, 6}, {5, 1, 1, 6}, 2, {}, false},
      {"1x1_128_to_3", {1, 2, 2, 128}, {3, 1, 1, 128}, 1, {}, false},
  };
  std::vector<Case> cases;
  for (const Convolution& c : convolutions) {
    std::vector<CaseInput> inputs{{DType::f32, c.x}, {DType::f32, c.w}};
    if (c.bias) {
      inputs.push_back({DType::f32, {c.w[0]}});
    }
    cases.push_back({std::string("conv2d/") + c.name, inputs, [=](auto in) {
                       const std::optional<Value> bias = c.bias ? std::optional(in[2]) : std::nullopt;
                       return conv2d(in[0], in[1], bias, {.stride = c.stride, .padding = c.padding});
                     }});
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
