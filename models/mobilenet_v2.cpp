// MobileNetV2 (Sandler et al., 2018) with torchvision's names, and paper 000's head: global average pooling,
// Dense(128, ReLU), dropout, Dense(classes).
#include "layers/layers.h"
#include "models/networks.h"

namespace fer {

namespace {

// Expand 1x1, depthwise 3x3, project 1x1; joined to its input where the shapes agree.
class InvertedResidual {
 public:
  InvertedResidual(Scope scope, int64_t in, int64_t out, int64_t stride, int64_t expansion, const BatchNormParams& norm)
      : joined_(stride == 1 && in == out) {
    const int64_t hidden = in * expansion;
    int at = 0;
    if (expansion != 1) {
      expand_.emplace(scope / at / 0, in, hidden, ConvOptions{.kernel = 1, .bias = false});
      expand_norm_.emplace(scope / at / 1, hidden, norm);
      ++at;
    }
    depthwise_.emplace(scope / at / 0, hidden, ConvOptions{.kernel = 3, .stride = stride, .padding = 1, .bias = false});
    depthwise_norm_.emplace(scope / at / 1, hidden, norm);
    project_.emplace(scope / (at + 1), hidden, out, ConvOptions{.kernel = 1, .bias = false});
    project_norm_.emplace(scope / (at + 2), out, norm);
  }

  Value operator()(Value x, Mode mode) const {
    Value y = x;
    if (expand_) {
      y = relu6((*expand_norm_)((*expand_)(y), mode));
    }
    y = relu6((*depthwise_norm_)((*depthwise_)(y), mode));
    y = (*project_norm_)((*project_)(y), mode);
    return joined_ ? add(x, y) : y;
  }

 private:
  bool joined_;
  std::optional<Conv2d> expand_, project_;
  std::optional<DepthwiseConv2d> depthwise_;
  std::optional<BatchNorm> expand_norm_, depthwise_norm_, project_norm_;
};

class MobileNetV2 : public Module {
 public:
  MobileNetV2(Scope scope, const ModelOptions& options)
      : rate_(options.dropout < 0 ? 0.5 : options.dropout),
        stem_(scope / "features" / 0 / 0, options.channels, 32,
              {.kernel = 3, .stride = 2, .padding = 1, .bias = false}),
        stem_norm_(scope / "features" / 0 / 1, 32, batch_norm_params({}, options)),
        last_(scope / "features" / 18 / 0, 320, 1280, {.kernel = 1, .bias = false}),
        last_norm_(scope / "features" / 18 / 1, 1280, batch_norm_params({}, options)),
        hidden_(scope / "classifier" / 0, 1280, 128),
        output_(scope / "classifier" / 3, 128, options.classes) {
    constexpr struct {
      int64_t expansion, width;
      int repeats;
      int64_t stride;
    } table[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int64_t channels = 32;
    int index = 1;
    for (const auto& row : table) {
      for (int i = 0; i < row.repeats; ++i) {
        blocks_.emplace_back(scope / "features" / index / "conv", channels, row.width, i == 0 ? row.stride : 1,
                             row.expansion, batch_norm_params({}, options));
        channels = row.width;
        ++index;
      }
    }
  }

  Value forward(Value x, Mode mode) override {
    x = relu6(stem_norm_(stem_(x), mode));
    for (const InvertedResidual& block : blocks_) {
      x = block(x, mode);
    }
    x = global_average_pool(relu6(last_norm_(last_(x), mode)));
    return output_(dropout(relu(hidden_(x)), rate_, mode));
  }

 private:
  double rate_;
  Conv2d stem_;
  BatchNorm stem_norm_;
  std::vector<InvertedResidual> blocks_;
  Conv2d last_;
  BatchNorm last_norm_;
  Linear hidden_, output_;
};

}  // namespace

std::unique_ptr<Module> make_mobilenet_v2(Scope scope, const ModelOptions& options) {
  return std::make_unique<MobileNetV2>(scope, options);
}

}  // namespace fer
