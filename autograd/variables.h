// Values that outlive a run: weights, running statistics, optimizer moments. Shared by name between executors.
#pragma once

#include <map>
#include <string>

#include "autograd/graph.h"

namespace fer {

class Variables {
 public:
  // `seed` keys the first values, together with each variable's name.
  explicit Variables(uint64_t seed) : seed_(seed) {}

  // The variable, made and initialised when it is not there yet. Throws when it is there with another type.
  Tensor get(const std::string& name, const ValueType& type, const Initializer& initializer);

  bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  Tensor at(const std::string& name) const;

  // Takes a copy of `value` as the variable's value, whether it is there or not.
  void set(const std::string& name, const Tensor& value);

  const std::map<std::string, Tensor>& all() const { return tensors_; }

 private:
  uint64_t seed_;
  std::map<std::string, Tensor> tensors_;
};

// FNV-1a, 64 bits.
uint64_t hash_of(std::string_view text);

}  // namespace fer
