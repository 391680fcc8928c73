#include "layers/layers.h"

#include <cmath>

#include "layers/initializers.h"

namespace fer {

namespace {

Conv2dParams params_for(const ConvOptions& options, const Shape& x) {
  return {options.stride,
          options.same ? same_padding(x[1], x[2], options.kernel, options.stride) : symmetric_padding(options.padding)};
}

}  // namespace

Conv2d::Conv2d(Scope scope, int64_t in, int64_t out, const ConvOptions& options)
    : options_(options),
      name_(scope.name()),
      weight_(scope.parameter("weight", {out, options.kernel, options.kernel, in},
                              he_normal(out * options.kernel * options.kernel))) {
  if (options.bias) {
    bias_ = scope.parameter("bias", {out}, filled(0));
  }
}

Value Conv2d::operator()(Value x) const {
  const Restore scope(x.graph().scope, name_);
  return conv2d(x, weight_, bias_, params_for(options_, x.shape()));
}

DepthwiseConv2d::DepthwiseConv2d(Scope scope, int64_t channels, const ConvOptions& options)
    : options_(options),
      name_(scope.name()),
      weight_(scope.parameter("weight", {options.kernel, options.kernel, channels},
                              he_normal(options.kernel * options.kernel))) {
  if (options.bias) {
    bias_ = scope.parameter("bias", {channels}, filled(0));
  }
}

Value DepthwiseConv2d::operator()(Value x) const {
  const Restore scope(x.graph().scope, name_);
  return depthwise_conv2d(x, weight_, bias_, params_for(options_, x.shape()));
}

Linear::Linear(Scope scope, const Shape& weight, int64_t in, int64_t out)
    : name_(scope.name()),
      weight_(reshape(scope.parameter("weight", weight, uniform(1 / std::sqrt(static_cast<double>(in)))), {out, in})),
      bias_(scope.parameter("bias", {out}, filled(0))) {}

Linear::Linear(Scope scope, int64_t in, int64_t out, LinearWeight kept)
    : Linear(scope, kept == LinearWeight::matrix ? Shape{out, in} : Shape{out, 1, 1, in}, in, out) {}

Linear::Linear(Scope scope, const Shape& map, int64_t out)
    : Linear(scope, {out, 1, map[0], map[1], map[2]}, map.size(), out) {}

Value Linear::operator()(Value x) const {
  const Restore scope(x.graph().scope, name_);
  return linear(x.shape().rank() == 2 ? x : flatten(x), weight_, bias_);
}

BatchNorm::BatchNorm(Scope scope, int64_t channels, const BatchNormParams& params)
    : params_(params),
      name_(scope.name()),
      gamma_(scope.parameter("weight", {channels}, filled(1))),
      beta_(scope.parameter("bias", {channels}, filled(0))),
      running_mean_(scope.buffer("running_mean", {channels}, filled(0))),
      running_var_(scope.buffer("running_var", {channels}, filled(1))) {}

Value BatchNorm::operator()(Value x, Mode mode) const {
  const Restore scope(x.graph().scope, name_);
  return batch_norm(x, gamma_, beta_, running_mean_, running_var_, params_, mode == Mode::training);
}

Value dropout(Value x, double rate, Mode mode) { return mode == Mode::evaluation ? x : dropout(x, rate); }

Value drop_samples(Value x, double rate, Mode mode) { return mode == Mode::evaluation ? x : drop_samples(x, rate); }

SqueezeExcite::SqueezeExcite(Scope reduce, Scope expand, int64_t channels, int64_t reduced, Activation middle,
                             LinearWeight weights)
    : reduce_(reduce, channels, reduced, weights), expand_(expand, reduced, channels, weights), middle_(middle) {}

Value SqueezeExcite::operator()(Value x) const {
  return scale_channels(x, sigmoid(expand_(activate(middle_, reduce_(global_average_pool(x))))));
}

}  // namespace fer
