// Paper 000's ensemble: DenseNet121, MobileNetV2 and VGG19 side by side, each with a dense layer, joined by
// concatenation, batch-norm and two more dense layers.
#include "models/backbones.h"

namespace fer {

namespace {

class Edl : public Module {
 public:
  Edl(Scope scope, const ModelOptions& options)
      : densenet_(densenet121_features(scope / "densenet", options)),
        mobilenet_(mobilenet_v2_features(scope / "mobilenet", options)),
        vgg_(vgg19_features(scope / "vgg", options)),
        densenet_head_(scope / "densenet_head", 1024, 1024),
        mobilenet_head_(scope / "mobilenet_head", 1280, 128),
        vgg_head_(scope / "vgg_head", 512 * (options.size / 32) * (options.size / 32), 1024),
        joined_norm_(scope / "bn1", 1024 + 128 + 1024, batch_norm_params(options, {1e-3, 0.01})),
        hidden_(scope / "hidden", 1024 + 128 + 1024, 128),
        hidden_norm_(scope / "bn2", 128, batch_norm_params(options, {1e-3, 0.01})),
        output_(scope / "output", 128, options.classes),
        rate_(std::max(0.0, options.dropout)) {}

  Value forward(Value x, Mode mode) override {
    const Value densenet = relu(densenet_head_(global_average_pool(densenet_->forward(x, mode))));
    const Value mobilenet = relu(mobilenet_head_(global_average_pool(mobilenet_->forward(x, mode))));
    const Value vgg = relu(vgg_head_(vgg_->forward(x, mode)));
    const Value joined = joined_norm_(concat(std::vector{densenet, mobilenet, vgg}), mode);
    return output_(dropout(hidden_norm_(relu(hidden_(joined)), mode), rate_, mode));
  }

 private:
  std::unique_ptr<Module> densenet_, mobilenet_, vgg_;
  Linear densenet_head_, mobilenet_head_, vgg_head_;
  BatchNorm joined_norm_;
  Linear hidden_;
  BatchNorm hidden_norm_;
  Linear output_;
  double rate_;  // none in the paper
};

const RegisterModel registered{{.name = "edl",
                                .source = "paper 000, the ensemble",
                                .size = 75,
                                .channels = 3,
                                .head = "output",
                                .make = construct<Edl>,
                                .backbones = {{"densenet", "densenet121", "features"},
                                              {"mobilenet", "mobilenet_v2", "features"},
                                              {"vgg", "vgg19", "features"}}}};

}  // namespace

}  // namespace fer
