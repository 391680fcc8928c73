#include "tests/cases/case.h"

namespace fer::test {

namespace {

CaseInput logits(int64_t rows, int64_t classes) { return {DType::f32, {rows, classes}, -4, 4}; }

CaseInput labels(int64_t rows, int64_t classes) {
  return {DType::i32, {rows}, 0, static_cast<double>(classes - 1), false};
}

// Positive weights or target shares; probabilities need not sum to one.
CaseInput positive(Shape shape) { return {DType::f32, shape, 0.1, 2, false}; }

}  // namespace

static const AddCases added = [] {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, std::vector<CaseInput> inputs, const CrossEntropyParams& params) {
    cases.push_back({"cross_entropy/" + name, std::move(inputs), [=](std::span<const Value> in) {
                       return in.size() == 3 ? cross_entropy(in[0], in[1], params, in[2])
                                             : cross_entropy(in[0], in[1], params);
                     }});
  };
  for (int64_t classes : {1, 2, 7, 127, 128, 129}) {
    add("classes_" + std::to_string(classes), {logits(3, classes), labels(3, classes)}, {});
  }
  for (int64_t rows : {1, 8}) {
    const std::string batch = "_batch_" + std::to_string(rows);
    const CaseInput soft = positive({rows, 7});
    add("smooth" + batch, {logits(rows, 7), labels(rows, 7)}, {.label_smoothing = 0.1});
    add("sum" + batch, {logits(rows, 7), labels(rows, 7)}, {.sum = true});
    add("weighted" + batch, {logits(rows, 7), labels(rows, 7), positive({7})}, {});
    add("weighted_smooth" + batch, {logits(rows, 7), labels(rows, 7), positive({7})}, {.label_smoothing = 0.2});
    add("weighted_sum" + batch, {logits(rows, 7), labels(rows, 7), positive({7})}, {.sum = true});
    add("soft" + batch, {logits(rows, 7), soft}, {});
    add("soft_weighted_smooth" + batch, {logits(rows, 7), soft, positive({7})}, {.label_smoothing = 0.1});
    add("multi_target" + batch, {logits(rows, 7), soft}, {.multi_target = true});
    add("multi_target_sum" + batch, {logits(rows, 7), soft}, {.multi_target = true, .sum = true});
  }
  add("bad_label", {logits(3, 7), {DType::i32, {3}, 7, 7, false}}, {});
  cases.back().gradient_check = false;  // the loss is NaN, and nothing is read out of bounds
  add("all_equal", {{DType::f32, {4, 7}, 3, 3}, labels(4, 7)}, {});
  add("large_logits", {{DType::f32, {4, 7}, 900, 904}, labels(4, 7)}, {});
  cases.back().tolerance = 1e-4;  // a float near 900 has steps of 6e-5
  cases.back().gradient_step = 1e-4;

  for (int64_t classes : {1, 2, 7, 129}) {
    Case one{"softmax/" + std::to_string(classes), {logits(5, classes)}, [](auto in) { return softmax(in[0]); }};
    one.gradient_check = false;
    cases.push_back(one);
    one.name = "count_correct/" + std::to_string(classes);
    one.inputs = {logits(50, classes), {DType::i32, {50}, -1, static_cast<double>(classes), false}};
    one.build = [](auto in) { return count_correct(in[0], in[1]); };
    cases.push_back(one);
  }
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
