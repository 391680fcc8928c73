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

Tensor Variables::zeros(DType dtype, const Shape& shape) const {
  return accelerator_ ? shared_tensor(accelerator_, dtype, shape) : Tensor(dtype, shape);
}

Tensor Variables::copy_of(const Tensor& value) const {
  Tensor copy = zeros(value.dtype(), value.shape());
  std::memcpy(copy.view().data, value.view().data, static_cast<size_t>(value.bytes()));
  return copy;
}

void Variables::finish_runs() const {
  if (accelerator_) {
    accelerator_->synchronize();
  }
}

const std::map<std::string, Tensor>& Variables::all() const {
  finish_runs();
  return tensors_;
}

void Variables::move_to(const std::shared_ptr<Accelerator>& accelerator) {
  if (accelerator == accelerator_) {
    return;
  }
  finish_runs();
  accelerator_ = accelerator;
  for (auto& [name, tensor] : tensors_) {
    tensor = copy_of(tensor);
  }
}

Tensor Variables::get(const std::string& name, const ValueType& type, const Initializer& initializer) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) {
    if (found->second.dtype() != type.dtype || found->second.shape() != type.shape) {
      fail("variable '", name, "' is ", found->second.dtype(), found->second.shape(), ", the graph expects ", type);
    }
    return found->second;
  }
  Tensor value = zeros(type.dtype, type.shape);
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
  finish_runs();
  return found->second;
}

void Variables::set(const std::string& name, const Tensor& value) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    tensors_.emplace(name, copy_of(value));
    return;
  }
  if (found->second.dtype() != value.dtype() || found->second.shape() != value.shape()) {
    fail("variable '", name, "' is ", found->second.dtype(), found->second.shape(), ", the new value ", value.dtype(),
         value.shape());
  }
  finish_runs();
  std::memcpy(found->second.view().data, value.view().data, static_cast<size_t>(value.bytes()));
}

}  // namespace fer
