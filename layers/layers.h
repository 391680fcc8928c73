// The layers networks are made of. Each makes its variables in its constructor and records its operations when called.
#pragma once

#include <optional>

#include "layers/module.h"

namespace fer {

struct ConvOptions {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 0;  // symmetric
  bool same = false;    // TensorFlow's 'same' instead of `padding`
  bool bias = true;
};

// weight [out,kernel,kernel,in], bias [out].
class Conv2d {
 public:
  Conv2d(Scope scope, int64_t in, int64_t out, const ConvOptions& options);
  Value operator()(Value x) const;

 private:
  ConvOptions options_;
  std::string name_;
  Value weight_;
  std::optional<Value> bias_;
};

// weight [kernel,kernel,channels].
class DepthwiseConv2d {
 public:
  DepthwiseConv2d(Scope scope, int64_t channels, const ConvOptions& options);
  Value operator()(Value x) const;

 private:
  ConvOptions options_;
  std::string name_;
  Value weight_;
  std::optional<Value> bias_;
};

// How a Linear's weight is kept, which says how files hold it (layers/weights.h): [out,in], or as the 1x1 convolution
// [out,1,1,in] that some published networks have in its place.
enum class LinearWeight { matrix, convolution };

// weight [out,in], bias [out]; x is flattened to [N,in], a map in H,W,C order.
class Linear {
 public:
  Linear(Scope scope, int64_t in, int64_t out, LinearWeight kept = LinearWeight::matrix);
  // Over a map [H,W,C] that PyTorch would flatten in C,H,W order: the weight is kept as [out,1,H,W,C].
  Linear(Scope scope, const Shape& map, int64_t out);
  Value operator()(Value x) const;

 private:
  Linear(Scope scope, const Shape& weight, int64_t in, int64_t out);

  std::string name_;
  Value weight_;
  Value bias_;
};

// weight (gamma) and bias (beta), running_mean and running_var.
class BatchNorm {
 public:
  BatchNorm(Scope scope, int64_t channels, const BatchNormParams& params = {});
  Value operator()(Value x, Mode mode) const;

 private:
  BatchNormParams params_;
  std::string name_;
  Value gamma_, beta_, running_mean_, running_var_;
};

// A convolution, its batch-norm and what follows: what most networks are made of.
template <class Convolution>
struct Normalised {
  Convolution convolution;
  BatchNorm norm;
  Activation activation = Activation::identity;

  Value operator()(Value x, Mode mode) const { return activate(activation, norm(convolution(x), mode)); }
};
using ConvNorm = Normalised<Conv2d>;
using DepthwiseNorm = Normalised<DepthwiseConv2d>;

// Dropout but in evaluation.
Value dropout(Value x, double rate, Mode mode);

// Stochastic depth (Huang et al., 2016): whole samples of a residual branch are zeroed, but in evaluation.
Value drop_samples(Value x, double rate, Mode mode);

// Global average pooling, then Linear(channels -> reduced), `middle`, Linear(reduced -> channels), sigmoid, gate
// (Hu et al., 2018).
class SqueezeExcite {
 public:
  SqueezeExcite(Scope reduce, Scope expand, int64_t channels, int64_t reduced, Activation middle,
                LinearWeight weights = LinearWeight::matrix);
  Value operator()(Value x) const;

 private:
  Linear reduce_, expand_;
  Activation middle_;
};

}  // namespace fer
