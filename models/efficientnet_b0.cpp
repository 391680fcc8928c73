// EfficientNet-B0 (Tan and Le, 2019) with torchvision's names: inverted residuals with squeeze-excite, SiLU and
// stochastic depth.
#include "models/model.h"

namespace fer {

namespace {

class InvertedResidual {
 public:
  InvertedResidual(Scope scope, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t expansion,
                   double drop_path, const ModelOptions& options)
      : joined_(stride == 1 && in == out), drop_path_(drop_path) {
    const BatchNormParams norm = batch_norm_params(options);
    const int64_t hidden = in * expansion;
    int64_t at = 0;
    if (expansion != 1) {
      expand_ = {Conv2d(scope / at / 0, in, hidden, {.kernel = 1, .bias = false}),
                 BatchNorm(scope / at / 1, hidden, norm), Activation::silu};
      ++at;
    }
    depthwise_ = {DepthwiseConv2d(scope / at / 0, hidden, padded(kernel, stride, options)),
                  BatchNorm(scope / at / 1, hidden, norm), Activation::silu};
    gate_.emplace(scope / (at + 1) / "fc1", scope / (at + 1) / "fc2", hidden, std::max<int64_t>(1, in / 4),
                  Activation::silu, LinearWeight::convolution);
    project_ = {Conv2d(scope / (at + 2) / 0, hidden, out, {.kernel = 1, .bias = false}),
                BatchNorm(scope / (at + 2) / 1, out, norm)};
  }

  Value operator()(Value x, Mode mode) const {
    const Value expanded = expand_ ? (*expand_)(x, mode) : x;
    const Value y = (*project_)((*gate_)((*depthwise_)(expanded, mode)), mode);
    return joined_ ? add(drop_samples(y, drop_path_, mode), x) : y;
  }

 private:
  bool joined_;
  double drop_path_;
  std::optional<ConvNorm> expand_, project_;
  std::optional<DepthwiseNorm> depthwise_;
  std::optional<SqueezeExcite> gate_;
};

class EfficientNetB0 : public Module {
 public:
  EfficientNetB0(Scope scope, const ModelOptions& options)
      : stem_{Conv2d(scope / "features" / 0 / 0, options.channels, 32, padded(3, 2, options)),
              BatchNorm(scope / "features" / 0 / 1, 32, batch_norm_params(options)), Activation::silu},
        last_{Conv2d(scope / "features" / 8 / 0, 320, 1280, {.kernel = 1, .bias = false}),
              BatchNorm(scope / "features" / 8 / 1, 1280, batch_norm_params(options)), Activation::silu},
        output_(scope / "classifier" / 1, 1280, options.classes),
        rate_(options.dropout < 0 ? 0.2 : options.dropout) {
    constexpr struct {
      int64_t expansion, kernel, stride, width;
      int repeats;
    } table[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                 {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
    constexpr double blocks = 16;
    const double drop_path = options.drop_path < 0 ? 0.2 : options.drop_path;
    int64_t channels = 32;
    int64_t stage = 1;
    for (const auto& row : table) {
      for (int64_t i = 0; i < row.repeats; ++i) {
        blocks_.emplace_back(scope / "features" / stage / i / "block", channels, row.width, row.kernel,
                             i == 0 ? row.stride : 1, row.expansion,
                             drop_path * static_cast<double>(blocks_.size()) / blocks, options);
        channels = row.width;
      }
      ++stage;
    }
  }

  Value forward(Value x, Mode mode) override {
    x = stem_(x, mode);
    for (const InvertedResidual& block : blocks_) {
      x = block(x, mode);
    }
    return output_(dropout(global_average_pool(last_(x, mode)), rate_, mode));
  }

 private:
  ConvNorm stem_;
  std::vector<InvertedResidual> blocks_;
  ConvNorm last_;
  Linear output_;
  double rate_;
};

const RegisterModel registered{
    {"efficientnet_b0", "paper 004", 48, 3, "classifier", construct<EfficientNetB0>, {}, Normalisation::imagenet}};

}  // namespace

}  // namespace fer
