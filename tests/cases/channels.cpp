#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  cases.push_back(
      {"concat/two", {{DType::f32, {2, 3, 4, 5}}, {DType::f32, {2, 3, 4, 8}}}, [](auto in) { return concat(in); }});
  cases.push_back({"concat/three_rows",
                   {{DType::f32, {3, 1}}, {DType::f32, {3, 129}}, {DType::f32, {3, 7}}},
                   [](auto in) { return concat(in); }});
  cases.push_back({"concat/itself", {{DType::f32, {2, 2, 3}}}, [](auto in) {
                     const Value twice[] = {in[0], in[0]};
                     return concat(twice);
                   }});
  for (int64_t begin : {0, 2, 6}) {
    cases.push_back({"slice_channels/" + std::to_string(begin), {{DType::f32, {2, 3, 3, 7}}}, [=](auto in) {
                       return slice_channels(in[0], begin, begin == 6 ? 1 : 3);
                     }});
  }
  cases.push_back({"slice_channels/all", {{DType::f32, {4, 2}}}, [](auto in) { return slice_channels(in[0], 0, 2); }});

  for (const Shape& shape : {Shape{3, 5, 4, 7}, Shape{1, 1, 1, 129}, Shape{2, 3, 3, 1}}) {
    cases.push_back({"scale_channels/" + to_string(shape),
                     {{DType::f32, shape}, {DType::f32, {shape[0], shape[3]}}},
                     [](auto in) { return scale_channels(in[0], in[1]); }});
  }
  cases.push_back({"scale_channels/only_image",
                   {{DType::f32, {2, 3, 3, 4}}, {DType::f32, {2, 4}, -1, 1, false}},
                   [](auto in) { return scale_channels(in[0], in[1]); }});
  cases.push_back({"scale_channels/only_factors",
                   {{DType::f32, {2, 3, 3, 4}, -1, 1, false}, {DType::f32, {2, 4}}},
                   [](auto in) { return scale_channels(in[0], in[1]); }});
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
