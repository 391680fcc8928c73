// MobileNetV2 (Sandler et al., 2018) with torchvision's names. Paper 000's head: global average pooling,
// Dense(128, ReLU), dropout, Dense(classes); the published one: dropout, Dense(classes).
#include "models/backbones.h"

namespace fer {

namespace {

BatchNormParams norm_params(const ModelOptions& options) { return batch_norm_params(options, {}, {1e-3, 0.001}); }

// Expand 1x1, depthwise 3x3, project 1x1; joined to its input where the shapes agree.
class InvertedResidual {
 public:
  InvertedResidual(Scope scope, int64_t in, int64_t out, int64_t stride, int64_t expansion, const ModelOptions& options)
      : joined_(stride == 1 && in == out) {
    const BatchNormParams norm = norm_params(options);
    const int64_t hidden = in * expansion;
    int64_t at = 0;
    if (expansion != 1) {
      expand_ = {Conv2d(scope / at / 0, in, hidden, {.kernel = 1, .bias = false}),
                 BatchNorm(scope / at / 1, hidden, norm), Activation::relu6};
      ++at;
    }
    depthwise_ = {DepthwiseConv2d(scope / at / 0, hidden, padded(3, stride, options)),
                  BatchNorm(scope / at / 1, hidden, norm), Activation::relu6};
    project_ = {Conv2d(scope / (at + 1), hidden, out, {.kernel = 1, .bias = false}),
                BatchNorm(scope / (at + 2), out, norm)};
  }

  Value operator()(Value x, Mode mode) const {
    const Value expanded = expand_ ? (*expand_)(x, mode) : x;
    const Value y = (*project_)((*depthwise_)(expanded, mode), mode);
    return joined_ ? add(x, y) : y;
  }

 private:
  bool joined_;
  std::optional<ConvNorm> expand_, project_;
  std::optional<DepthwiseNorm> depthwise_;
};

class Features : public Module {
 public:
  Features(Scope scope, const ModelOptions& options)
      : stem_{Conv2d(scope / 0 / 0, options.channels, 32, padded(3, 2, options)),
              BatchNorm(scope / 0 / 1, 32, norm_params(options)), Activation::relu6},
        last_{Conv2d(scope / 18 / 0, 320, 1280, {.kernel = 1, .bias = false}),
              BatchNorm(scope / 18 / 1, 1280, norm_params(options)), Activation::relu6} {
    constexpr struct {
      int64_t expansion, width;
      int repeats;
      int64_t stride;
    } table[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int64_t channels = 32;
    int64_t index = 1;
    for (const auto& row : table) {
      for (int i = 0; i < row.repeats; ++i) {
        blocks_.emplace_back(scope / index / "conv", channels, row.width, i == 0 ? row.stride : 1, row.expansion,
                             options);
        channels = row.width;
        ++index;
      }
    }
  }

  Value forward(Value x, Mode mode) override {
    x = stem_(x, mode);
    for (const InvertedResidual& block : blocks_) {
      x = block(x, mode);
    }
    return last_(x, mode);
  }

 private:
  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  ConvNorm last_;
};

class MobileNetV2 : public Module {
 public:
  MobileNetV2(Scope scope, const ModelOptions& options) : features_(scope / "features", options) {
    const double own = options.head == Head::paper ? 0.5 : 0.2;
    rate_ = options.dropout < 0 ? own : options.dropout;
    if (options.head == Head::paper) {
      hidden_.emplace(scope / "classifier" / 0, 1280, 128);
      output_.emplace(scope / "classifier" / 3, 128, options.classes);
    } else {
      output_.emplace(scope / "classifier" / 1, 1280, options.classes);
    }
  }

  Value forward(Value x, Mode mode) override {
    x = global_average_pool(features_.forward(x, mode));
    return (*output_)(dropout(hidden_ ? relu((*hidden_)(x)) : x, rate_, mode));
  }

 private:
  Features features_;
  double rate_;
  std::optional<Linear> hidden_, output_;
};

const RegisterModel registered{{"mobilenet_v2", "paper 000", 75, 3, "classifier", construct<MobileNetV2>}};

}  // namespace

std::unique_ptr<Module> mobilenet_v2_features(Scope scope, const ModelOptions& options) {
  return std::make_unique<Features>(scope, options);
}

}  // namespace fer
