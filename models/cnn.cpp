// Paper 004 (COS429): blocks of conv 3x3 - ReLU - batch-norm, each block ending in max-pool 2x2 and dropout; then one
// dense layer on the flattened map. Without "batch_norm" they are the nets of its Grad-CAM pictures.
#include "models/model.h"

namespace fer {

namespace {

struct Layer {
  Conv2d conv;
  std::optional<BatchNorm> norm;
};

class Cnn : public Module {
 public:
  Cnn(int blocks, Scope scope, const ModelOptions& options) : rate_(options.dropout < 0 ? 0.3 : options.dropout) {
    constexpr struct {
      int64_t width;
      int depth;
    } table[] = {{64, 2}, {128, 3}, {256, 4}, {256, 4}, {512, 4}};
    int64_t channels = options.channels;
    for (int b = 0; b < blocks; ++b) {
      blocks_.emplace_back();
      for (int i = 0; i < table[b].depth; ++i) {
        const Scope at = scope / "blocks" / b / i;
        blocks_.back().push_back({Conv2d(at / "conv", channels, table[b].width, {.kernel = 3, .padding = 1}), {}});
        channels = table[b].width;
        if (options.has("batch_norm")) {
          blocks_.back().back().norm.emplace(at / "bn", channels, batch_norm_params(options, {1e-3, 0.01}));
        }
      }
    }
    const int64_t side = options.size >> blocks;
    if (side < 1) {
      fail("cnn_", blocks, "block: images of ", options.size, " pixels are halved to nothing; at least ", 1 << blocks,
           " are needed");
    }
    output_.emplace(scope / "output", channels * side * side, options.classes);
  }

  Value forward(Value x, Mode mode) override {
    for (const auto& block : blocks_) {
      for (const Layer& layer : block) {
        x = relu(layer.conv(x));
        x = layer.norm ? (*layer.norm)(x, mode) : x;
      }
      x = dropout(max_pool(x, {.kernel = 2, .stride = 2}), rate_, mode);
    }
    return (*output_)(x);
  }

 private:
  double rate_;
  std::vector<std::vector<Layer>> blocks_;
  std::optional<Linear> output_;
};

template <int blocks>
std::unique_ptr<Module> make_cnn(Scope scope, const ModelOptions& options) {
  return std::make_unique<Cnn>(blocks, scope, options);
}

const RegisterModel registered[] = {
    {{"cnn_1block", "paper 004, table 3", 48, 1, "output", make_cnn<1>, {"batch_norm"}}},
    {{"cnn_2block", "paper 004, the final model", 48, 1, "output", make_cnn<2>, {"batch_norm"}}},
    {{"cnn_3block", "paper 004, table 3", 48, 1, "output", make_cnn<3>, {"batch_norm"}}},
    {{"cnn_4block", "paper 004, the dropout ablation", 48, 1, "output", make_cnn<4>, {"batch_norm"}}},
    {{"cnn_5block", "paper 004, the baseline", 48, 1, "output", make_cnn<5>, {"batch_norm"}}}};

}  // namespace

}  // namespace fer
