// VGG19 (Simonyan and Zisserman, 2015) with torchvision's names, with global average pooling and one dense layer, or
// with the dense layers it was published with; and VGGFace (Parkhi et al., 2015): VGG16 with 4096-4096-classes.
#include "models/backbones.h"

namespace fer {

namespace {

// Stages of 3x3 convolutions with ReLU, each ending in max-pool 2x2.
class Features : public Module {
 public:
  Features(Scope scope, std::array<int, 5> depths, const ModelOptions& options) {
    constexpr int64_t widths[] = {64, 128, 256, 512, 512};
    int64_t channels = options.channels;
    int64_t index = 0;  // torchvision counts ReLUs and pools too
    for (size_t stage = 0; stage < depths.size(); ++stage) {
      auto& convolutions = stages_.emplace_back();
      for (int i = 0; i < depths[stage]; ++i) {
        convolutions.emplace_back(scope / index, channels, widths[stage], ConvOptions{.kernel = 3, .padding = 1});
        channels = widths[stage];
        index += 2;
      }
      ++index;
    }
  }

  Value forward(Value x, Mode) override {
    for (const auto& stage : stages_) {
      for (const Conv2d& convolution : stage) {
        x = relu(convolution(x));
      }
      x = max_pool(x, {.kernel = 2, .stride = 2});
    }
    return x;
  }

 private:
  std::vector<std::vector<Conv2d>> stages_;
};

// Side of the last map.
int64_t map_side(const ModelOptions& options, const char* who) {
  if (options.size < 32) {
    fail(who, ": images of ", options.size, " pixels are halved to nothing; at least 32 are needed");
  }
  return options.size / 32;
}

// Dense 4096, ReLU, dropout, twice; then the classes.
class Vgg : public Module {
 public:
  Vgg(Scope scope, std::array<int, 5> depths, const ModelOptions& options, const char* who)
      : features_(scope / "features", depths, options),
        first_(scope / "classifier" / 0, Shape{map_side(options, who), map_side(options, who), 512}, 4096),
        second_(scope / "classifier" / 3, 4096, 4096),
        output_(scope / "classifier" / 6, 4096, options.classes),
        rate_(options.dropout < 0 ? 0.5 : options.dropout) {}

  Value forward(Value x, Mode mode) override {
    x = dropout(relu(first_(features_.forward(x, mode))), rate_, mode);
    return output_(dropout(relu(second_(x)), rate_, mode));
  }

 private:
  Features features_;
  Linear first_, second_, output_;
  double rate_;
};

// The backbone with global average pooling.
class PooledVgg : public Module {
 public:
  PooledVgg(Scope scope, std::array<int, 5> depths, const ModelOptions& options)
      : features_(scope / "features", depths, options),
        output_(scope / "classifier", 512, options.classes),
        rate_(std::max(0.0, options.dropout)) {}

  Value forward(Value x, Mode mode) override {
    return output_(dropout(global_average_pool(features_.forward(x, mode)), rate_, mode));
  }

 private:
  Features features_;
  Linear output_;
  double rate_;  // none in the paper
};

constexpr std::array vgg16 = {2, 2, 3, 3, 3};
constexpr std::array vgg19 = {2, 2, 4, 4, 4};

std::unique_ptr<Module> make_vgg19(Scope scope, const ModelOptions& options) {
  if (options.head == Head::published) {
    return std::make_unique<Vgg>(scope, vgg19, options, "vgg19");
  }
  return std::make_unique<PooledVgg>(scope, vgg19, options);
}

std::unique_ptr<Module> make_vggface(Scope scope, const ModelOptions& options) {
  return std::make_unique<Vgg>(scope, vgg16, options, "vggface");
}

const RegisterModel registered[] = {{{"vgg19", "paper 000", 75, 3, "classifier", make_vgg19}},
                                    {{"vggface", "paper 001", 224, 3, "classifier.6", make_vggface}}};

}  // namespace

std::unique_ptr<Module> vgg19_features(Scope scope, const ModelOptions& options) {
  map_side(options, "vgg19");
  return std::make_unique<Features>(scope, vgg19, options);
}

}  // namespace fer
