#include "autograd/operation.h"

#include "autograd/graph.h"

namespace fer {

std::ostream& operator<<(std::ostream& out, const ValueType& type) { return out << type.dtype << type.shape; }

std::vector<Value> Operation::gradient(Graph&, const GradientArguments&) const {
  fail(name(), ": has no gradient; it cannot stand between the loss and what it is differentiated by");
}

Cost Operation::cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  return {0, moved_bytes(inputs, outputs)};
}

std::optional<Recipe> Operation::recipe(int) const {
  return mutates().empty() ? std::optional(Recipe{}) : std::nullopt;
}

std::vector<UpdatePart> Operation::parts(std::span<const ValueType>) const { return {}; }

int64_t moved_bytes(std::span<const ValueType> inputs, std::span<const ValueType> outputs) {
  int64_t bytes = 0;
  for (const ValueType& type : inputs) {
    bytes += type.bytes();
  }
  for (const ValueType& type : outputs) {
    bytes += type.bytes();
  }
  return bytes;
}

void check_input_count(const Operation& operation, std::span<const ValueType> inputs, size_t expected) {
  if (inputs.size() != expected) {
    fail(operation.name(), ": takes ", expected, " inputs, was given ", inputs.size());
  }
}

}  // namespace fer
