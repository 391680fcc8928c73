#include "tests/cases/case.h"

namespace fer::test {

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto image = [](Shape shape) { return std::vector<CaseInput>{{DType::f32, shape}}; };
  const auto add_max = [&](const char* name, const Shape& shape, const PoolParams& params) {
    cases.push_back({std::string("max_pool/") + name, image(shape), [=](auto in) { return max_pool(in[0], params); }});
  };
  add_max("2x2", {2, 6, 4, 7}, {2, 2, {}});
  add_max("2x2_odd", {3, 5, 7, 9}, {2, 2, {}});
  add_max("2x2_one_window", {1, 2, 3, 129}, {2, 2, {}});
  add_max("2x2_one_channel", {2, 9, 5, 1}, {2, 2, {}});
  add_max("3x3_s2_p1", {2, 7, 6, 8}, {3, 2, {1, 1, 1, 1}});
  add_max("3x3_s1_p1", {2, 4, 5, 3}, {3, 1, {1, 1, 1, 1}});
  add_max("3x3_s2_same", {2, 6, 8, 5}, {3, 2, same_padding(6, 8, 3, 2)});
  add_max("3x3_s2_same_odd", {1, 7, 9, 5}, {3, 2, same_padding(7, 9, 3, 2)});
  add_max("2x2_s3_gaps", {2, 8, 9, 2}, {2, 3, {}});
  add_max("3x3_one_pixel", {2, 1, 1, 3}, {3, 2, {1, 1, 1, 1}});

  const auto add_average = [&](const char* name, const Shape& shape, const PoolParams& params) {
    cases.push_back(
        {std::string("average_pool/") + name, image(shape), [=](auto in) { return average_pool(in[0], params); }});
  };
  add_average("2x2_odd", {2, 5, 7, 9}, {2, 2, {}});
  add_average("3x3_s2", {1, 7, 8, 3}, {3, 2, {}});
  add_average("3x3_s1", {2, 5, 4, 1}, {3, 1, {}});
  add_average("2x2_s3_gaps", {1, 8, 6, 2}, {2, 3, {}});

  for (const Shape& shape : {Shape{3, 5, 7, 9}, Shape{1, 1, 1, 129}, Shape{2, 4, 4, 1}}) {
    cases.push_back(
        {"global_average_pool/" + to_string(shape), image(shape), [](auto in) { return global_average_pool(in[0]); }});
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
