#include "autograd/variables.h"

#include <cstring>

namespace fer {

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char character : text) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  }
  return hash;
}

Tensor Variables::get(const std::string& name, const ValueType& type, const Initializer& initializer) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) {
    if (found->second.dtype() != type.dtype || found->second.shape() != type.shape) {
      fail("variable '", name, "' is ", found->second.dtype(), found->second.shape(), ", the graph expects ", type);
    }
    return found->second;
  }
  Tensor value(type.dtype, type.shape);
  if (initializer) {
    RandomSequence random(Philox(seed_ ^ hash_of(name), 0));
    initializer(value, random);
  }
  tensors_.emplace(name, value);
  return value;
}

Tensor Variables::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail("variable '", name, "' does not exist");
  }
  return found->second;
}

void Variables::set(const std::string& name, const Tensor& value) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    tensors_.emplace(name, value.clone());
    return;
  }
  if (found->second.dtype() != value.dtype() || found->second.shape() != value.shape()) {
    fail("variable '", name, "' is ", found->second.dtype(), found->second.shape(), ", the new value ", value.dtype(),
         value.shape());
  }
  std::memcpy(found->second.view().data, value.view().data, static_cast<size_t>(value.bytes()));
}

}  // namespace fer
