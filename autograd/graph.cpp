#include "autograd/graph.h"

namespace fer {

const ValueType& Value::type() const { return graph_->values()[static_cast<size_t>(id_)].type; }

Value Graph::add(ValueRecord record) {
  values_.push_back(std::move(record));
  return Value(this, static_cast<int>(values_.size()) - 1);
}

Value Graph::input(std::string name, DType dtype, Shape shape) {
  ValueRecord record;
  record.type = {dtype, shape};
  record.kind = ValueKind::input;
  record.name = std::move(name);
  return add(std::move(record));
}

Value Graph::resident(std::string name, DType dtype, Shape shape) {
  const Value value = input(std::move(name), dtype, shape);
  values_.back().kind = ValueKind::resident;
  return value;
}

Value Graph::variable(const std::string& name, ValueType type, Initializer initializer, bool trainable) {
  for (int id : variables_) {
    const ValueRecord& existing = values_[static_cast<size_t>(id)];
    if (existing.name == name) {
      if (existing.type != type) {
        fail("graph: variable '", name, "' is ", existing.type, ", asked for again as ", type);
      }
      return Value(this, id);
    }
  }
  ValueRecord record;
  record.type = type;
  record.kind = ValueKind::variable;
  record.name = name;
  record.trainable = trainable;
  record.initializer = std::move(initializer);
  const Value value = add(std::move(record));
  variables_.push_back(value.id());
  return value;
}

std::vector<Value> Graph::apply(std::shared_ptr<const Operation> operation, std::span<const Value> inputs) {
  std::vector<ValueType> types;
  Node node{operation, {}, {}, scope, phase};
  for (Value input : inputs) {
    if (!input.valid() || &input.graph() != this) {
      fail(operation->name(), ": an input belongs to no graph or to another one");
    }
    types.push_back(input.type());
    node.inputs.push_back(input.id());
  }
  std::vector<ValueType> output_types;
  try {
    output_types = operation->infer(types);
  } catch (const Error& error) {
    if (scope.empty()) {
      throw;
    }
    fail(error.what(), " (in ", scope, ")");
  }
  std::vector<Value> outputs;
  for (const ValueType& type : output_types) {
    ValueRecord record;
    record.type = type;
    record.producer = static_cast<int>(nodes_.size());
    outputs.push_back(add(std::move(record)));
    node.outputs.push_back(outputs.back().id());
  }
  nodes_.push_back(std::move(node));
  return outputs;
}

std::vector<Value> Graph::variables() {
  std::vector<Value> result;
  for (int id : variables_) {
    result.emplace_back(this, id);
  }
  return result;
}

std::vector<Value> Graph::trainable() {
  std::vector<Value> result = variables();
  std::erase_if(result, [this](Value value) { return !values_[static_cast<size_t>(value.id())].trainable; });
  return result;
}

}  // namespace fer
