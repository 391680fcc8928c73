// Paper 001's attention: a spatial transformer (Jaderberg et al., 2015) in front of ResNet50. A localisation network
// reads an affine map from the image, through which the image is sampled; it starts as the identity.
#include "layers/initializers.h"
#include "models/backbones.h"

namespace fer {

namespace {

class StnResNet50 : public Module {
 public:
  StnResNet50(Scope scope, const ModelOptions& options)
      : first_(scope / "localization" / 0, options.channels, 64, {.kernel = 7}),
        second_(scope / "localization" / 3, 64, 64, {.kernel = 5}),
        resnet_(make_resnet50(scope / "resnet", options)) {
    const int64_t side = ((options.size - 6) / 2 - 4) / 2;
    if (side < 1) {
      fail("stn_resnet50: the localisation network needs images of at least 18 pixels, not ", options.size);
    }
    theta_weight_ = (scope / "theta").parameter("weight", {6, side * side * 64}, filled(0));
    theta_bias_ = (scope / "theta").parameter("bias", {6}, identity_transform);
  }

  Value forward(Value x, Mode mode) override {
    const PoolParams half{.kernel = 2, .stride = 2};
    const Value located = relu(max_pool(second_(relu(max_pool(first_(x), half))), half));
    const Value theta = linear(flatten(located), theta_weight_, theta_bias_);
    const Shape& image = x.shape();
    return resnet_->forward(affine_grid_sample(x, reshape(theta, {image[0], 2, 3}), image[1], image[2]), mode);
  }

 private:
  static void identity_transform(Tensor& bias, RandomSequence&) {
    with_float_type("theta", bias.dtype(), [&](auto scalar) {
      auto values = bias.as<decltype(scalar)>();
      for (int64_t i = 0; i < 6; ++i) {
        values.data[i] = i % 4 == 0 ? 1 : 0;
      }
    });
  }

  Conv2d first_, second_;
  Value theta_weight_, theta_bias_;
  std::unique_ptr<Module> resnet_;
};

const RegisterModel registered{{.name = "stn_resnet50",
                                .source = "paper 001",
                                .size = 48,
                                .channels = 3,
                                .head = "resnet.fc",
                                .make = construct<StnResNet50>,
                                .backbones = {{"resnet", "resnet50", ""}}}};

}  // namespace

}  // namespace fer
