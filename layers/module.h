// Modules: things with named parameters that turn values into values.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "autograd/ops.h"

namespace fer {

// evaluation: running statistics, nothing random. training: batch statistics, dropout. frozen: running statistics, but
// dropout: for training a new head on a backbone that must not change.
enum class Mode { evaluation, training, frozen };

// Where a module makes its variables: a graph and a dotted name, PyTorch's way ("features.3.conv.0.1.weight").
class Scope {
 public:
  Scope(Graph& graph, std::string name = "", DType dtype = DType::f32)
      : graph_(&graph), name_(std::move(name)), dtype_(dtype) {}

  Scope operator/(const std::string& part) const;
  Scope operator/(int64_t part) const { return *this / std::to_string(part); }

  Value parameter(const std::string& leaf, Shape shape, Initializer initializer) const;
  // A variable that is not trained: running statistics.
  Value buffer(const std::string& leaf, Shape shape, Initializer initializer) const;

  Graph& graph() const { return *graph_; }
  const std::string& name() const { return name_; }

 private:
  Value variable(const std::string& leaf, Shape shape, Initializer initializer, bool trainable) const;

  Graph* graph_;
  std::string name_;
  DType dtype_;
};

class Module {
 public:
  virtual ~Module() = default;

  // x [N,H,W,C], pixels in [0,1] for whole networks; logits [N,classes] from them.
  virtual Value forward(Value x, Mode mode) = 0;
};

// Makes a module's variables in a graph: attacks and training build as many graphs of one network as they need.
using ModuleFactory = std::function<std::unique_ptr<Module>(Graph& graph)>;

}  // namespace fer
