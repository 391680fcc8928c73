// From when to when each value's bytes are taken, and which values take the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/plan.h"

namespace fer {

constexpr int before_first_node = -1;

// The bytes of one value, or of several that are views of one another or computed in place.
struct Storage {
  int64_t bytes = 0;
  int first = 0;                 // node that writes them; inputs: before_first_node
  int last = before_first_node;  // node that reads them last; outputs of the plan: as many as there are nodes
  bool in_arena = false;
  bool overwritable = false;  // neither fed nor read back by the caller
};

class Lifetimes {
 public:
  // `in_place`: results of operations that may (see Operation::in_place) take over the bytes of an input.
  Lifetimes(std::span<const PlannedNode> nodes, std::span<const ValueRecord> values, std::span<const int> outputs,
            bool in_place);

  // The value that stands for all those in the same storage.
  int root(int value) const;
  const Storage& of(int value) const { return storages_[static_cast<size_t>(root(value))]; }
  // Whether the value itself has a place in the arena: what nobody needs has none.
  bool is_placed(int value) const { return placed_[static_cast<size_t>(value)] && of(value).in_arena; }
  int value_count() const { return static_cast<int>(storages_.size()); }

 private:
  Storage& storage(int value) { return storages_[static_cast<size_t>(root(value))]; }
  void merge(int into, int value);
  void merge_in_place(std::span<const PlannedNode> nodes);

  std::vector<int> parent_;
  std::vector<Storage> storages_;
  std::vector<bool> placed_;
};

}  // namespace fer
