// Paper 001's baseline: three stages of three conv 3x3 - batch-norm - ReLU with max-pool 2x2, then one dense layer on
// the flattened map.
#include "models/model.h"

namespace fer {

namespace {

class VanillaCnn : public Module {
 public:
  VanillaCnn(Scope scope, const ModelOptions& options) : rate_(std::max(0.0, options.dropout)) {
    int64_t channels = options.channels;
    for (int64_t width : {64, 128, 256}) {
      const Scope stage = scope / "stages" / static_cast<int64_t>(stages_.size());
      auto& layers = stages_.emplace_back();
      for (int64_t i = 0; i < 3; ++i) {
        layers.push_back({Conv2d(stage / i / "conv", channels, width, {.kernel = 3, .padding = 1}),
                          BatchNorm(stage / i / "bn", width, batch_norm_params(options)), Activation::relu});
        channels = width;
      }
    }
    const int64_t side = options.size / 8;
    if (side < 1) {
      fail("vanilla_cnn: images of ", options.size, " pixels are halved to nothing; at least 8 are needed");
    }
    output_.emplace(scope / "output", channels * side * side, options.classes);
  }

  Value forward(Value x, Mode mode) override {
    for (const auto& stage : stages_) {
      for (const ConvNorm& layer : stage) {
        x = layer(x, mode);
      }
      x = max_pool(x, {.kernel = 2, .stride = 2});
    }
    return (*output_)(dropout(flatten(x), rate_, mode));
  }

 private:
  double rate_;  // none in the paper
  std::vector<std::vector<ConvNorm>> stages_;
  std::optional<Linear> output_;
};

const RegisterModel registered{{"vanilla_cnn", "paper 001", 48, 1, "output", construct<VanillaCnn>}};

}  // namespace

}  // namespace fer
