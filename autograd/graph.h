// The record: operations with static shapes, written down by calling functions on values. Nothing runs here.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/operation.h"
#include "tensor/philox.h"

namespace fer {

class Graph;

// A handle to one value of a graph: cheap to copy, valid as long as the graph.
class Value {
 public:
  Value() = default;
  Value(Graph* graph, int id) : graph_(graph), id_(id) {}

  Graph& graph() const { return *graph_; }
  int id() const { return id_; }
  bool valid() const { return graph_ != nullptr; }
  const ValueType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  bool operator==(const Value&) const = default;

 private:
  Graph* graph_ = nullptr;
  int id_ = -1;
};

// input: fed before each run. resident: bound once to memory that outlives the run (a data set). variable: named,
// kept from run to run, shared by every executor of one Variables (weights, running statistics, optimizer moments).
enum class ValueKind { input, resident, variable, result };

// Fills a variable's first value; `random` is keyed by the run's seed and the variable's name.
using Initializer = std::function<void(Tensor& value, RandomSequence& random)>;

struct ValueRecord {
  ValueType type;
  ValueKind kind = ValueKind::result;
  std::string name;   // of inputs, residents and variables
  int producer = -1;  // node of a result
  bool trainable = false;
  Initializer initializer;  // of a variable
};

// attack: adversarial examples made inside a training step, both directions.
enum class Phase { forward, backward, update, attack };

struct Node {
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::string scope;  // where in the model it was recorded: "features.3.conv"
  Phase phase = Phase::forward;
};

class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  Value input(std::string name, DType dtype, Shape shape);
  Value resident(std::string name, DType dtype, Shape shape);

  // Throws when a variable of that name exists with another type; returns the existing one when the type agrees.
  Value variable(const std::string& name, ValueType type, Initializer initializer, bool trainable);

  // Records `operation`; returns its outputs. Errors of shape or type come from the operation, and name the scope.
  std::vector<Value> apply(std::shared_ptr<const Operation> operation, std::span<const Value> inputs);

  // Records an operation that has one output.
  template <class Op>
  Value record(Op operation, std::initializer_list<Value> inputs) {
    return apply(std::make_shared<const Op>(std::move(operation)), std::vector<Value>(inputs)).front();
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  // A deque: references to its elements (Value::type) stay good while more are recorded.
  const std::deque<ValueRecord>& values() const { return values_; }

  // Variables in the order they were made; those that are trained.
  std::vector<Value> variables();
  std::vector<Value> trainable();

  // A number for each random operation, in the order of recording: with seed and step it keys what is drawn.
  uint32_t next_stream() { return next_stream_++; }

  // Names and phase that nodes recorded from now on carry; set through ScopeName and PhaseMark.
  std::string scope;
  Phase phase = Phase::forward;

 private:
  Value add(ValueRecord record);

  std::vector<Node> nodes_;
  std::deque<ValueRecord> values_;
  std::vector<int> variables_;
  uint32_t next_stream_ = 1;
};

// Sets a member of a graph for the lifetime of a block.
template <class T>
class Restore {
 public:
  Restore(T& member, T value) : member_(member), before_(std::exchange(member, std::move(value))) {}
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  ~Restore() { member_ = std::move(before_); }

 private:
  T& member_;
  T before_;
};

// The derivatives of `of` with respect to each of `wrt`, as ordinary nodes of the same graph. `of` must be a scalar
// unless its cotangent is given. Throws naming a value that `of` does not depend on, or an operation without gradient.
std::vector<Value> gradients(Value of, std::span<const Value> wrt, Value cotangent = {});

}  // namespace fer
