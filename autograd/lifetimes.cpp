#include "autograd/lifetimes.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace fer {

Lifetimes::Lifetimes(std::span<const PlannedNode> nodes, std::span<const ValueRecord> values,
                     std::span<const int> outputs, bool in_place)
    : parent_(values.size()), storages_(values.size()), placed_(values.size()) {
  const int end = static_cast<int>(nodes.size());
  std::iota(parent_.begin(), parent_.end(), 0);

  const auto use = [&](int value, int at) {
    storages_[static_cast<size_t>(value)].last = at;
    placed_[static_cast<size_t>(value)] = true;
  };
  for (Storage& storage : storages_) {
    storage.first = std::numeric_limits<int>::max();
  }
  for (int i = 0; i < end; ++i) {
    const PlannedNode& node = nodes[static_cast<size_t>(i)];
    for (int output : node.outputs) {
      storages_[static_cast<size_t>(output)].first = i;
    }
    // The first output of what runs has a place even if nobody reads it: kernels need not write only the others.
    if (!node.outputs.empty()) {
      use(node.outputs[0], i);
    }
    for (int input : node.inputs) {
      use(input, i);
    }
  }
  for (int output : outputs) {
    use(output, end);
  }
  for (size_t i = 0; i < storages_.size(); ++i) {
    const ValueRecord& record = values[i];
    Storage& storage = storages_[i];
    storage.bytes = record.type.bytes();
    storage.in_arena = placed_[i] && (record.kind == ValueKind::result || record.kind == ValueKind::input);
    storage.overwritable = record.kind == ValueKind::result && storage.last != end;
    placed_[i] = storage.in_arena;
    if (record.kind == ValueKind::input) {
      storage.first = before_first_node;
    }
  }
  for (const PlannedNode& node : nodes) {
    if (node.operation->is_view()) {
      merge(node.inputs[0], node.outputs[0]);
    }
  }
  if (in_place) {
    merge_in_place(nodes);
  }
}

int Lifetimes::root(int value) const {
  while (parent_[static_cast<size_t>(value)] != value) {
    value = parent_[static_cast<size_t>(value)];
  }
  return value;
}

void Lifetimes::merge(int into, int value) {
  Storage& kept = storage(into);
  const Storage gone = storage(value);
  parent_[static_cast<size_t>(root(value))] = root(into);
  kept.first = std::min(kept.first, gone.first);
  kept.last = std::max(kept.last, gone.last);
  kept.overwritable = kept.overwritable && gone.overwritable;
}

void Lifetimes::merge_in_place(std::span<const PlannedNode> nodes) {
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    const PlannedNode& node = nodes[static_cast<size_t>(i)];
    const int output = node.outputs.empty() ? -1 : node.outputs[0];
    if (output < 0 || node.operation->is_view() || !storage(output).in_arena) {
      continue;
    }
    for (int candidate : node.operation->in_place()) {
      const int input = node.inputs[static_cast<size_t>(candidate)];
      const Storage& taken = storage(input);
      const auto reads_it = [&](int other) { return root(other) == root(input); };
      if (taken.in_arena && taken.overwritable && taken.last == i && taken.bytes == storage(output).bytes &&
          std::count_if(node.inputs.begin(), node.inputs.end(), reads_it) == 1) {
        merge(input, output);
        break;
      }
    }
  }
}

}  // namespace fer
