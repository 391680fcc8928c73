#include "layers/module.h"

namespace fer {

Scope Scope::operator/(const std::string& part) const {
  return Scope(*graph_, name_.empty() ? part : name_ + "." + part, dtype_);
}

Value Scope::parameter(const std::string& leaf, Shape shape, Initializer initializer) const {
  return variable(leaf, shape, std::move(initializer), true);
}

Value Scope::buffer(const std::string& leaf, Shape shape, Initializer initializer) const {
  return variable(leaf, shape, std::move(initializer), false);
}

Value Scope::variable(const std::string& leaf, Shape shape, Initializer initializer, bool trainable) const {
  return graph_->variable((*this / leaf).name(), {dtype_, shape}, std::move(initializer), trainable);
}

}  // namespace fer
