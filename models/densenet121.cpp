// DenseNet121 (Huang et al., 2017) with torchvision's names: every layer of a block reads all maps before it.
#include "models/backbones.h"

namespace fer {

namespace {

constexpr int64_t growth = 32;

BatchNormParams norm_params(const ModelOptions& options) { return batch_norm_params(options, {}, {1.001e-5, 0.01}); }

// Batch-norm, ReLU, convolution: the other way around than elsewhere.
struct NormConv {
  BatchNorm norm;
  Conv2d conv;

  Value operator()(Value x, Mode mode) const { return conv(relu(norm(x, mode))); }
};

class Features : public Module {
 public:
  Features(Scope scope, const ModelOptions& options)
      : stem_{Conv2d(scope / "conv0", options.channels, 64, {.kernel = 7, .stride = 2, .padding = 3, .bias = false}),
              BatchNorm(scope / "norm0", 64, norm_params(options)), Activation::relu},
        last_(scope / "norm5", 1024, norm_params(options)) {
    const BatchNormParams norm = norm_params(options);
    int64_t channels = 64;
    for (int64_t layers : {6, 12, 24, 16}) {
      const std::string number = std::to_string(blocks_.size() + 1);
      Block block;
      for (int64_t i = 1; i <= layers; ++i) {
        const Scope at = scope / ("denseblock" + number) / ("denselayer" + std::to_string(i));
        block.layers.push_back(
            {{BatchNorm(at / "norm1", channels, norm),
              Conv2d(at / "conv1", channels, 4 * growth, {.kernel = 1, .bias = false})},
             {BatchNorm(at / "norm2", 4 * growth, norm),
              Conv2d(at / "conv2", 4 * growth, growth, {.kernel = 3, .padding = 1, .bias = false})}});
        channels += growth;
      }
      if (blocks_.size() < 3) {
        const Scope at = scope / ("transition" + number);
        block.transition = {BatchNorm(at / "norm", channels, norm),
                            Conv2d(at / "conv", channels, channels / 2, {.kernel = 1, .bias = false})};
        channels /= 2;
      }
      blocks_.push_back(std::move(block));
    }
  }

  Value forward(Value x, Mode mode) override {
    x = max_pool(stem_(x, mode), {.kernel = 3, .stride = 2, .padding = symmetric_padding(1)});
    for (const Block& block : blocks_) {
      for (const auto& [bottleneck, grow] : block.layers) {
        x = concat(std::vector{x, grow(bottleneck(x, mode), mode)});
      }
      if (block.transition) {
        x = average_pool((*block.transition)(x, mode), {.kernel = 2, .stride = 2});
      }
    }
    return relu(last_(x, mode));
  }

 private:
  struct Block {
    std::vector<std::pair<NormConv, NormConv>> layers;
    std::optional<NormConv> transition;
  };

  ConvNorm stem_;
  std::vector<Block> blocks_;
  BatchNorm last_;
};

class DenseNet121 : public Module {
 public:
  DenseNet121(Scope scope, const ModelOptions& options)
      : features_(scope / "features", options),
        output_(scope / "classifier", 1024, options.classes),
        rate_(std::max(0.0, options.dropout)) {}

  Value forward(Value x, Mode mode) override {
    return output_(dropout(global_average_pool(features_.forward(x, mode)), rate_, mode));
  }

 private:
  Features features_;
  Linear output_;
  double rate_;  // none in the paper
};

const RegisterModel registered{{"densenet121", "paper 000", 75, 3, "classifier", construct<DenseNet121>}};

}  // namespace

std::unique_ptr<Module> densenet121_features(Scope scope, const ModelOptions& options) {
  return std::make_unique<Features>(scope, options);
}

}  // namespace fer
