#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto without_gradient = [&](const std::string& name, std::vector<CaseInput> inputs,
                                    std::function<Value(std::span<const Value>)> build) {
    cases.push_back({name, std::move(inputs), std::move(build)});
    cases.back().gradient_check = false;
  };

  for (int64_t size : {1, 2, 7, 127, 128, 129}) {
    without_gradient("decode/" + std::to_string(size), {{DType::u8, {3, size, 1, 1}, 0, 255}},
                     [](auto in) { return decode(in[0]); });
    // Indices outside the table give zeros.
    without_gradient("gather/f32_" + std::to_string(size), {{DType::f32, {5, size}}, {DType::i32, {9}, -2, 6}},
                     [](auto in) { return gather(in[0], in[1]); });
  }
  without_gradient("gather/u8_images", {{DType::u8, {4, 3, 5, 1}, 0, 255}, {DType::i32, {6}, 0, 3}},
                   [](auto in) { return decode(gather(in[0], in[1])); });
  without_gradient("gather/i32_labels", {{DType::i32, {7}, 0, 6}, {DType::i32, {3}, 0, 6}},
                   [](auto in) { return gather(in[0], in[1]); });

  for (int64_t channels : {1, 2, 3, 7}) {
    cases.push_back({"replicate_channels/" + std::to_string(channels), {{DType::f32, {2, 5, 3, 1}}}, [=](auto in) {
                       return replicate_channels(in[0], channels);
                     }});
  }

  for (int64_t channels : {1, 3}) {
    const std::string suffix = "_channels_" + std::to_string(channels);
    const auto build = [](auto in) { return pixel_candidates(in[0], in[1], in[2]); };
    // Rows and columns up to 5 on images of 4x5: some lie outside and are ignored.
    without_gradient("pixel_candidates/one" + suffix,
                     {{DType::f32, {2, 4, 5, channels}}, {DType::i32, {6, 2}, -1, 5}, {DType::f32, {6, channels}}},
                     build);
    without_gradient("pixel_candidates/many" + suffix,
                     {{DType::f32, {1, 4, 5, channels}}, {DType::i32, {3, 9, 2}, 0, 4}, {DType::f32, {3, 9, channels}}},
                     build);
  }
  // Windows and pieces that reach over every edge of the images.
  without_gradient("patch_windows/all_edges",
                   {{DType::f32, {2, 4, 5, 3}},
                    {DType::f32, {6, 2, 3, 3}},
                    {DType::i32, {6, 2}, -1, 4},
                    {DType::i32, {6, 2}, -2, 3}},
                   [](auto in) { return patch_windows(in[0], in[1], in[2], in[3], 3, 4); });
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
