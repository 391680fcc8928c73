// Paper 003: separable convolutions with squeeze-excite and shortcuts. Four blocks of two separable convolutions,
// squeeze-excite (r = 16) and max-pool 3x3/2 'same', joined by a strided 1x1 shortcut.
#include "layers/layers.h"
#include "models/networks.h"

namespace fer {

namespace {

constexpr BatchNormParams keras_batch_norm{1e-3, 0.01};

class SeparableConv {
 public:
  SeparableConv(Scope scope, int64_t in, int64_t out, const BatchNormParams& norm)
      : depthwise_(scope / "depthwise", in, {.kernel = 3, .padding = 1, .bias = false}),
        pointwise_(scope / "pointwise", in, out, {.kernel = 1, .bias = false}),
        norm_(scope / "bn", out, norm) {}

  Value operator()(Value x, Mode mode) const { return norm_(pointwise_(depthwise_(x)), mode); }

 private:
  DepthwiseConv2d depthwise_;
  Conv2d pointwise_;
  BatchNorm norm_;
};

class Block {
 public:
  Block(Scope scope, int64_t in, int64_t out, const BatchNormParams& norm)
      : first_(scope / "sep1", in, out, norm),
        second_(scope / "sep2", out, out, norm),
        gate_(scope / "se" / "reduce", scope / "se" / "expand", out, out / 16, Activation::relu),
        shortcut_(scope / "shortcut" / "conv", in, out, {.kernel = 1, .stride = 2, .bias = false}),
        shortcut_norm_(scope / "shortcut" / "bn", out, norm) {}

  Value operator()(Value x, Mode mode) const {
    Value y = gate_(second_(relu(first_(x, mode)), mode));
    y = max_pool(y, {.kernel = 3, .stride = 2, .padding = same_padding(y.shape()[1], y.shape()[2], 3, 2)});
    return relu(add(shortcut_norm_(shortcut_(x), mode), y));
  }

 private:
  SeparableConv first_, second_;
  SqueezeExcite gate_;
  Conv2d shortcut_;
  BatchNorm shortcut_norm_;
};

class SeSeparable : public Module {
 public:
  SeSeparable(Scope scope, const ModelOptions& options)
      : rate_(options.dropout), output_(scope / "output", 512, options.classes) {
    const BatchNormParams norm = batch_norm_params(keras_batch_norm, options);
    int64_t channels = options.channels;
    for (int64_t width : {32, 64}) {
      const Scope at = scope / "stem" / static_cast<int64_t>(stem_.size());
      stem_.push_back({Conv2d(at / "conv", channels, width, {.kernel = 3, .padding = 1, .bias = false}),
                       BatchNorm(at / "bn", width, norm)});
      channels = width;
    }
    for (int64_t width : {64, 128, 256, 512}) {
      blocks_.emplace_back(scope / "blocks" / static_cast<int64_t>(blocks_.size()), channels, width, norm);
      channels = width;
    }
  }

  Value forward(Value x, Mode mode) override {
    for (const auto& [conv, norm] : stem_) {
      x = relu(norm(conv(x), mode));
    }
    for (const Block& block : blocks_) {
      x = dropout(block(x, mode), rate_ < 0 ? 0.25 : rate_, mode);
    }
    return output_(dropout(global_average_pool(x), rate_ < 0 ? 0.5 : rate_, mode));
  }

 private:
  double rate_;
  std::vector<std::pair<Conv2d, BatchNorm>> stem_;
  std::vector<Block> blocks_;
  Linear output_;
};

}  // namespace

std::unique_ptr<Module> make_se_separable(Scope scope, const ModelOptions& options) {
  return std::make_unique<SeSeparable>(scope, options);
}

}  // namespace fer
