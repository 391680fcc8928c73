#include "autograd/ops/batch_norm.h"

#include "tests/cases/case.h"

namespace fer::test {

namespace {

// x, gamma, beta, running statistics and perhaps a residual.
std::vector<CaseInput> inputs_for(const Shape& shape, bool residual = false) {
  const int64_t channels = shape[-1];
  CaseInput running_mean{DType::f32, {channels}, -0.5, 0.5, false, true};
  CaseInput running_var{DType::f32, {channels}, 0.5, 1.5, false, true};
  std::vector<CaseInput> inputs{{DType::f32, shape, -1, 3},
                                {DType::f32, {channels}, 0.5, 1.5},
                                {DType::f32, {channels}},
                                running_mean,
                                running_var};
  if (residual) {
    inputs.push_back({DType::f32, shape});
  }
  return inputs;
}

template <class Op>
std::function<Value(std::span<const Value>)> fused(Activation activation, bool residual) {
  return [=](std::span<const Value> in) {
    return in[0].graph().apply(std::make_shared<Op>(BatchNormParams{}, activation, residual), in).front();
  };
}

// Two layers of a dense block on 6 + 3 channels: the second reads what the first read, and two channels more.
Case dense_block(bool training) {
  const Shape x{2, 4, 5, 6};
  std::vector<CaseInput> inputs = inputs_for(x.with(-1, 9));
  const std::vector<CaseInput> second = inputs_for(x.with(-1, 11));
  inputs[0].shape = x;
  inputs.insert(inputs.end(), second.begin() + 1, second.end());
  inputs.push_back({DType::f32, x.with(-1, 3), -2, 0});
  return {std::string("batch_norm/pieces_") + (training ? "training" : "inference"), inputs, [=](auto in) {
            const auto norm = [&](Value of, size_t at) {
              return batch_norm(of, in[at], in[at + 1], in[at + 2], in[at + 3], {}, training);
            };
            const Value both = concat(std::vector{in[0], in[9]});
            const Value grown = slice_channels(relu6(norm(both, 1)), 4, 2);
            return silu(norm(concat(std::vector{both, grown}), 5));
          }};
}

}  // namespace

static const AddCases added = [] {
  std::vector<Case> cases;
  // Some larger than a block of rows, some with odd channels, one value per image, one channel.
  for (const Shape& shape : {Shape{4, 3, 5, 7}, Shape{2, 9, 9, 2}, Shape{3, 1, 1, 129}, Shape{1, 2, 2, 128},
                             Shape{5, 127}, Shape{2, 12, 11, 1}}) {
    for (bool training : {true, false}) {
      cases.push_back({std::string("batch_norm/") + (training ? "training" : "inference") + to_string(shape),
                       inputs_for(shape), [=](auto in) {
                         return batch_norm(in[0], in[1], in[2], in[3], in[4], {1e-3, 0.2}, training);
                       }});
    }
  }
  for (Activation activation : {Activation::relu, Activation::relu6, Activation::silu}) {
    const std::string name(name_of(activation));
    cases.push_back(
        {"batch_norm/training_" + name, inputs_for({3, 5, 5, 9}), fused<BatchNormTraining>(activation, false)});
    cases.push_back(
        {"batch_norm/inference_" + name, inputs_for({3, 5, 5, 9}), fused<BatchNormInference>(activation, false)});
    cases.push_back({"batch_norm/training_residual_" + name, inputs_for({2, 5, 5, 9}, true),
                     fused<BatchNormTraining>(activation, true)});
    cases.push_back({"batch_norm/inference_residual_" + name, inputs_for({2, 5, 5, 9}, true),
                     fused<BatchNormInference>(activation, true)});
    for (const bool residual : {false, true}) {
      cases.push_back({"batch_norm/again_" + std::string(residual ? "residual_" : "") + name,
                       inputs_for({2, 5, 5, 9}, residual), [=](auto in) {
                         return in[0].graph().apply(std::make_shared<BatchNormAgain>(activation, residual), in).front();
                       }});
    }
    for (size_t i = cases.size() - 4; i < cases.size(); ++i) {
      cases[i].gradient_check = false;  // made by the planner only, after gradients
    }
  }
  for (bool training : {true, false}) {
    for (const bool six : {true, false}) {
      std::vector<CaseInput> wide = inputs_for({2, 5, 5, 9});
      wide[0].high = 8;
      cases.push_back(
          {std::string("batch_norm/after_relu") + (six ? "6_" : "_") + (training ? "training" : "inference"), wide,
           [=](auto in) {
             return batch_norm(six ? relu6(in[0]) : relu(in[0]), in[1], in[2], in[3], in[4], {}, training);
           }});
    }
  }
  cases.push_back(dense_block(true));
  cases.push_back(dense_block(false));
  // A mean two hundred times the spread.
  std::vector<CaseInput> far = inputs_for({4, 6, 6, 5});
  far[0].low = 199;
  far[0].high = 201;
  cases.push_back({"batch_norm/training_far_mean", far,
                   [](auto in) { return batch_norm(in[0], in[1], in[2], in[3], in[4], {}, true); }});
  cases.back().tolerance = 1e-4;  // x itself is rounded to 1e-5 of its spread
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
