#include "autograd/ops/folded_convolution.h"

#include "tests/cases/case.h"

namespace fer::test {

namespace {

// x, w[, b], batch-norm's four[, residual of y's shape].
std::vector<CaseInput> inputs_for(const Shape& x, const Shape& w, int64_t channels, bool bias, const Shape& residual) {
  std::vector<CaseInput> inputs{{DType::f32, x}, {DType::f32, w}};
  if (bias) {
    inputs.push_back({DType::f32, {channels}});
  }
  inputs.push_back({DType::f32, {channels}, 0.5, 1.5});
  inputs.push_back({DType::f32, {channels}, 1, 3});
  inputs.push_back({DType::f32, {channels}, -1, 1, false, true});
  inputs.push_back({DType::f32, {channels}, 0.5, 2, false, true});
  if (residual.rank() > 0) {
    inputs.push_back({DType::f32, residual});
  }
  return inputs;
}

template <class Convolution>
Case made(const std::string& name, const std::vector<CaseInput>& inputs, const Conv2dParams& params, bool bias,
          Activation activation, bool residual) {
  Case result{name, inputs, [=](auto in) {
                const FoldedConvolution folded(Convolution(params), bias,
                                               BatchNormInference({1e-3, 0.1}, activation, residual));
                return in[0].graph().apply(std::make_shared<FoldedConvolution>(folded), in).front();
              }};
  result.gradient_check = false;  // made by fusion only, in graphs without gradients
  return result;
}

}  // namespace

static const AddCases added = [] {
  std::vector<Case> cases;
  struct Dense {
    const char* name;
    Shape x, w, y;
    int64_t stride;
    Padding padding;
  };
  const Dense convolutions[] = {
      {"3x3", {2, 5, 7, 3}, {4, 3, 3, 3}, {2, 5, 7, 4}, 1, symmetric_padding(1)},
      {"3x3_tiles", {2, 7, 9, 17}, {19, 3, 3, 17}, {2, 4, 5, 19}, 2, symmetric_padding(1)},
      {"3x3_many_tiles", {1, 13, 12, 70}, {32, 3, 3, 70}, {1, 13, 12, 32}, 1, symmetric_padding(1)},
      {"1x1", {2, 3, 5, 7}, {11, 1, 1, 7}, {2, 3, 5, 11}, 1, {}},
      {"1x1_s2", {2, 5, 5, 8}, {10, 1, 1, 8}, {2, 3, 3, 10}, 2, {}},
      {"1x1_many_weights", {1, 1, 2, 512}, {256, 1, 1, 512}, {1, 1, 2, 256}, 1, {}},
  };
  for (const Dense& c : convolutions) {
    for (Activation activation : {Activation::identity, Activation::relu, Activation::relu6}) {
      for (bool residual : {false, true}) {
        const bool bias = activation == Activation::relu;
        cases.push_back(made<Conv2dForward>(
            std::string("conv2d/folded_") + c.name + "_" + std::string(name_of(activation)) + (residual ? "_sum" : ""),
            inputs_for(c.x, c.w, c.w[0], bias, residual ? c.y : Shape{}), {c.stride, c.padding}, bias, activation,
            residual));
      }
    }
  }
  for (int64_t stride : {1, 2}) {
    for (Activation activation : {Activation::identity, Activation::relu6}) {
      cases.push_back(
          made<DepthwiseForward>("depthwise/folded_s" + std::to_string(stride) + "_" + std::string(name_of(activation)),
                                 inputs_for({2, 6, 11, 21}, {3, 3, 21}, 21, stride == 2, {}),
                                 {stride, symmetric_padding(1)}, stride == 2, activation, false));
    }
  }
  // An activation between the two keeps them apart.
  Case apart{"conv2d/relu_before_norm", inputs_for({2, 5, 7, 3}, {4, 3, 3, 3}, 4, false, {}), [](auto in) {
               const Value y = relu(conv2d(in[0], in[1], {}, {1, symmetric_padding(1)}));
               return batch_norm(y, in[2], in[3], in[4], in[5], {1e-3, 0.1}, false);
             }};
  cases.push_back(apart);
  apart.name = "conv2d/relu_before_norm_alone";
  apart.gradient_check = false;
  cases.push_back(apart);
  return AddCases(std::move(cases));
}();

}  // namespace fer::test
