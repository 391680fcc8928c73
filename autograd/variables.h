// Values that outlive a run: weights, running statistics, optimizer moments. Shared by name between executors.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "autograd/graph.h"
#include "tensor/accelerator.h"

namespace fer {

class Variables {
 public:
  // `seed` keys the first values, together with each variable's name. The host reads and writes all of them, wherever
  // they are: in its own memory, or in what it shares with `accelerator`.
  explicit Variables(uint64_t seed, std::shared_ptr<Accelerator> accelerator = nullptr)
      : accelerator_(std::move(accelerator)), seed_(seed) {}

  // Moves all there are, and all that are made from now on, to where `accelerator`'s kernels reach them. Whoever holds
  // tensors from before keeps the old ones: the executors of one Variables run on one device.
  void move_to(const std::shared_ptr<Accelerator>& accelerator);
  const std::shared_ptr<Accelerator>& accelerator() const { return accelerator_; }

  // The variable, made and initialised when it is not there yet. Throws when it is there with another type.
  Tensor get(const std::string& name, const ValueType& type, const Initializer& initializer);

  bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  Tensor at(const std::string& name) const;

  // Takes a copy of `value` as the variable's value, whether it is there or not.
  void set(const std::string& name, const Tensor& value);

  // The values after all that executors have begun.
  const std::map<std::string, Tensor>& all() const;

 private:
  Tensor zeros(DType dtype, const Shape& shape) const;
  Tensor copy_of(const Tensor& value) const;
  void finish_runs() const;

  std::shared_ptr<Accelerator> accelerator_;
  uint64_t seed_;
  std::map<std::string, Tensor> tensors_;
};

// FNV-1a, 64 bits.
uint64_t hash_of(std::string_view text);

}  // namespace fer
