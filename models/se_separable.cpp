// Paper 003: separable convolutions with squeeze-excite and shortcuts. Four blocks of two separable convolutions,
// squeeze-excite (r = 16) and max-pool 3x3/2 'same', joined by a strided 1x1 shortcut. Each of the three ideas can be
// left out.
#include "models/model.h"

namespace fer {

namespace {

BatchNormParams norm_params(const ModelOptions& options) { return batch_norm_params(options, {1e-3, 0.01}); }

// Depthwise 3x3 and pointwise 1x1 (or, without "separable", an ordinary 3x3), batch-norm.
class SeparableConv {
 public:
  SeparableConv(Scope scope, int64_t in, int64_t out, const ModelOptions& options)
      : norm_(scope / "bn", out, norm_params(options)) {
    if (options.has("separable")) {
      depthwise_.emplace(scope / "depthwise", in, ConvOptions{.kernel = 3, .padding = 1, .bias = false});
      conv_.emplace(scope / "pointwise", in, out, ConvOptions{.kernel = 1, .bias = false});
    } else {
      conv_.emplace(scope / "conv", in, out, ConvOptions{.kernel = 3, .padding = 1, .bias = false});
    }
  }

  Value operator()(Value x, Mode mode) const { return norm_((*conv_)(depthwise_ ? (*depthwise_)(x) : x), mode); }

 private:
  std::optional<DepthwiseConv2d> depthwise_;
  std::optional<Conv2d> conv_;
  BatchNorm norm_;
};

class Block {
 public:
  Block(Scope scope, int64_t in, int64_t out, const ModelOptions& options)
      : first_(scope / "sep1", in, out, options), second_(scope / "sep2", out, out, options) {
    if (options.has("squeeze_excite")) {
      gate_.emplace(scope / "se" / "reduce", scope / "se" / "expand", out, out / 16, Activation::relu);
    }
    if (options.has("shortcut")) {
      const Scope at = scope / "shortcut";
      shortcut_ = {Conv2d(at / "conv", in, out, {.kernel = 1, .stride = 2, .bias = false}),
                   BatchNorm(at / "bn", out, norm_params(options))};
    }
  }

  Value operator()(Value x, Mode mode) const {
    Value y = second_(relu(first_(x, mode)), mode);
    y = gate_ ? (*gate_)(y) : y;
    y = max_pool(y, {.kernel = 3, .stride = 2, .padding = same_padding(y.shape()[1], y.shape()[2], 3, 2)});
    return relu(shortcut_ ? add((*shortcut_)(x, mode), y) : y);
  }

 private:
  SeparableConv first_, second_;
  std::optional<SqueezeExcite> gate_;
  std::optional<ConvNorm> shortcut_;
};

class SeSeparable : public Module {
 public:
  SeSeparable(Scope scope, const ModelOptions& options)
      : rate_(options.dropout), output_(scope / "output", 512, options.classes) {
    int64_t channels = options.channels;
    for (int64_t width : {32, 64}) {
      const Scope at = scope / "stem" / static_cast<int64_t>(stem_.size());
      stem_.push_back({Conv2d(at / "conv", channels, width, {.kernel = 3, .padding = 1, .bias = false}),
                       BatchNorm(at / "bn", width, norm_params(options)), Activation::relu});
      channels = width;
    }
    for (int64_t width : {64, 128, 256, 512}) {
      blocks_.emplace_back(scope / "blocks" / static_cast<int64_t>(blocks_.size()), channels, width, options);
      channels = width;
    }
  }

  Value forward(Value x, Mode mode) override {
    for (const ConvNorm& layer : stem_) {
      x = layer(x, mode);
    }
    for (const Block& block : blocks_) {
      x = dropout(block(x, mode), rate_ < 0 ? 0.25 : rate_, mode);
    }
    return output_(dropout(global_average_pool(x), rate_ < 0 ? 0.5 : rate_, mode));
  }

 private:
  double rate_;
  std::vector<ConvNorm> stem_;
  std::vector<Block> blocks_;
  Linear output_;
};

const RegisterModel registered{{"se_separable",
                                "paper 003",
                                48,
                                1,
                                "output",
                                construct<SeSeparable>,
                                {"squeeze_excite", "shortcut", "separable"}}};

}  // namespace

}  // namespace fer
