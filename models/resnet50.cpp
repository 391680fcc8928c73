// ResNet50 (He et al., 2016) with torchvision's names: "v1.5", the stride on the 3x3 convolutions. Keras' has biases
// and the stride on the first 1x1.
#include "models/backbones.h"

namespace fer {

namespace {

BatchNormParams norm_params(const ModelOptions& options) { return batch_norm_params(options, {}, {1.001e-5, 0.01}); }

// 1x1 to `width`, 3x3, 1x1 to four times `width`; the input joins through a strided 1x1 where the shapes differ.
class Bottleneck {
 public:
  Bottleneck(Scope scope, int64_t in, int64_t width, int64_t stride, const ModelOptions& options)
      : first_(layer(scope / "conv1", scope / "bn1", in, width, 1, keras(options) ? stride : 1, options)),
        second_(layer(scope / "conv2", scope / "bn2", width, width, 3, keras(options) ? 1 : stride, options)),
        third_(layer(scope / "conv3", scope / "bn3", width, 4 * width, 1, 1, options)) {
    third_.activation = Activation::identity;
    if (stride != 1 || in != 4 * width) {
      shortcut_ = layer(scope / "downsample" / 0, scope / "downsample" / 1, in, 4 * width, 1, stride, options);
      shortcut_->activation = Activation::identity;
    }
  }

  Value operator()(Value x, Mode mode) const {
    const Value shortcut = shortcut_ ? (*shortcut_)(x, mode) : x;
    return relu(add(third_(second_(first_(x, mode), mode), mode), shortcut));
  }

  static ConvNorm layer(Scope conv, Scope norm, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                        const ModelOptions& options) {
    return {Conv2d(conv, in, out, {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = keras(options)}),
            BatchNorm(norm, out, norm_params(options)), Activation::relu};
  }

 private:
  static bool keras(const ModelOptions& options) { return options.convention == Convention::keras; }

  ConvNorm first_, second_, third_;
  std::optional<ConvNorm> shortcut_;
};

class ResNet50 : public Module {
 public:
  ResNet50(Scope scope, const ModelOptions& options)
      : stem_(Bottleneck::layer(scope / "conv1", scope / "bn1", options.channels, 64, 7, 2, options)),
        output_(scope / "fc", 2048, options.classes),
        rate_(std::max(0.0, options.dropout)) {
    constexpr int depths[] = {3, 4, 6, 3};
    int64_t channels = 64;
    for (int64_t stage = 0; stage < 4; ++stage) {
      const int64_t width = 64 << stage;
      for (int64_t i = 0; i < depths[stage]; ++i) {
        const Scope at = scope / ("layer" + std::to_string(stage + 1)) / i;
        blocks_.emplace_back(at, channels, width, i == 0 && stage > 0 ? 2 : 1, options);
        channels = 4 * width;
      }
    }
  }

  Value forward(Value x, Mode mode) override {
    x = max_pool(stem_(x, mode), {.kernel = 3, .stride = 2, .padding = symmetric_padding(1)});
    for (const Bottleneck& block : blocks_) {
      x = block(x, mode);
    }
    return output_(dropout(global_average_pool(x), rate_, mode));
  }

 private:
  ConvNorm stem_;
  std::vector<Bottleneck> blocks_;
  Linear output_;
  double rate_;  // none in the paper
};

const RegisterModel registered{{"resnet50", "paper 001", 48, 3, "fc", construct<ResNet50>}};

}  // namespace

std::unique_ptr<Module> make_resnet50(Scope scope, const ModelOptions& options) {
  return std::make_unique<ResNet50>(scope, options);
}

}  // namespace fer
