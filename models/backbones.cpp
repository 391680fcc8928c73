#include "models/backbones.h"

namespace fer {

PooledClassifier::PooledClassifier(std::unique_ptr<Module> backbone, int64_t channels, Scope output, double own_rate,
                                   const ModelOptions& options)
    : backbone_(std::move(backbone)),
      output_(output, channels, options.classes),
      rate_(options.dropout < 0 ? own_rate : options.dropout) {}

Value PooledClassifier::forward(Value x, Mode mode) {
  return output_(dropout(global_average_pool(backbone_->forward(x, mode)), rate_, mode));
}

}  // namespace fer
