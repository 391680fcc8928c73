#include "autograd/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "autograd/half_precision.h"
#include "autograd/placement.h"
#include "autograd/program.h"
#include "tensor/accelerator.h"

namespace fer {

namespace {

constexpr int before_first = -1;

}  // namespace

// Builds a Plan in stages; each stage reads what the ones before it wrote.
class Planner {
 public:
  Planner(const Graph& graph, std::span<const Value> outputs, const PlanOptions& options) : options_(options) {
    options_.share = options.share && !options.guard;  // a fence must stay whole: nobody else may pass there
    program_.nodes = graph.nodes();
    program_.values.assign(graph.values().begin(), graph.values().end());
    for (Value output : outputs) {
      program_.outputs.push_back(output.id());
    }
    drop_dead_nodes(program_);
    if (options.fuse) {
      fuse(program_, options.kernels.cuda != nullptr);
      drop_dead_nodes(program_);
    }
  }

  Plan build() {
    prepare_kernels();
    find_lifetimes();
    merge_in_place();
    place();
    return std::move(plan_);
  }

 private:
  struct Storage {
    int64_t bytes = 0;
    int64_t offset = -1;
    int first = std::numeric_limits<int>::max();
    int last = before_first;
    bool in_arena = false;
    bool overwritable = false;  // neither fed nor read back by the caller
  };

  // Values that are views of one another, or computed in place, have one root.
  int root(int value) const {
    while (parent_[static_cast<size_t>(value)] != value) {
      value = parent_[static_cast<size_t>(value)];
    }
    return value;
  }
  Storage& storage(int value) { return storages_[static_cast<size_t>(root(value))]; }

  void merge(int into, int value) {
    Storage& kept = storage(into);
    const Storage gone = storage(value);
    parent_[static_cast<size_t>(root(value))] = root(into);
    kept.first = std::min(kept.first, gone.first);
    kept.last = std::max(kept.last, gone.last);
    kept.overwritable = kept.overwritable && gone.overwritable;
  }

  std::vector<ValueType> types(const std::vector<int>& values) const {
    std::vector<ValueType> result;
    for (int value : values) {
      result.push_back(program_.values[static_cast<size_t>(value)].type);
    }
    return result;
  }

  void prepare_kernels() {
    plan_.device_ = options_.kernels.cuda != nullptr ? Device::cuda : Device::cpu;
    if (options_.kernels.precision == Precision::bf16) {
      program_ = in_half_precision(std::move(program_), options_.kernels);
    }
    for (const Node& node : program_.nodes) {
      PlannedNode planned{node.operation, node.inputs, node.outputs, node.scope, node.phase, {}, {}, 0};
      if (!node.operation->is_view()) {
        const auto inputs = types(node.inputs);
        const auto outputs = types(node.outputs);
        planned.cost = node.operation->cost(inputs, outputs);
        planned.kernel = prepare_as_stored(*node.operation, inputs, outputs, options_.kernels);
        if (planned.kernel.device != plan_.device_) {
          fail(node.operation->name(), ": has no kernel for device ", plan_.device_);
        }
      }
      plan_.nodes_.push_back(std::move(planned));
    }
    for (const ValueRecord& record : program_.values) {
      plan_.values_.push_back({record.type, record.kind, record.name, record.initializer, -1, 0, before_first});
    }
    plan_.outputs_ = program_.outputs;
    plan_.guarded_ = options_.guard;
  }

  void find_lifetimes() {
    const int end = static_cast<int>(program_.nodes.size());
    parent_.resize(program_.values.size());
    std::iota(parent_.begin(), parent_.end(), 0);
    storages_.resize(program_.values.size());

    std::vector<bool> used(program_.values.size(), false);
    for (int i = 0; i < end; ++i) {
      const Node& node = program_.nodes[static_cast<size_t>(i)];
      for (int output : node.outputs) {
        storages_[static_cast<size_t>(output)].first = i;
      }
      // The first output of what runs has a place even if nobody reads it: kernels need not write only the others.
      if (!node.outputs.empty()) {
        storages_[static_cast<size_t>(node.outputs[0])].last = i;
        used[static_cast<size_t>(node.outputs[0])] = true;
      }
      for (int input : node.inputs) {
        storages_[static_cast<size_t>(input)].last = i;
        used[static_cast<size_t>(input)] = true;
      }
    }
    for (int output : program_.outputs) {
      storages_[static_cast<size_t>(output)].last = end;
      used[static_cast<size_t>(output)] = true;
    }
    for (size_t i = 0; i < storages_.size(); ++i) {
      const ValueRecord& record = program_.values[i];
      Storage& storage = storages_[i];
      storage.bytes = record.type.bytes();
      storage.in_arena = used[i] && (record.kind == ValueKind::result || record.kind == ValueKind::input);
      storage.overwritable = record.kind == ValueKind::result && storage.last != end;
      if (record.kind == ValueKind::input) {
        storage.first = before_first;
      }
    }
    for (const Node& node : program_.nodes) {
      if (node.operation->is_view() && used[static_cast<size_t>(node.outputs[0])]) {
        merge(node.inputs[0], node.outputs[0]);
      }
    }
  }

  void merge_in_place() {
    if (!options_.in_place || !options_.share) {
      return;
    }
    for (int i = 0; i < static_cast<int>(program_.nodes.size()); ++i) {
      const Node& node = program_.nodes[static_cast<size_t>(i)];
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

  void place() {
    const int64_t fence = options_.guard ? guard_bytes : 0;
    const int end = static_cast<int>(program_.nodes.size());
    std::vector<Piece> pieces;
    std::vector<int> roots;
    for (int value = 0; value < static_cast<int>(storages_.size()); ++value) {
      const Storage& storage = storages_[static_cast<size_t>(value)];
      if (root(value) == value && storage.in_arena) {
        Piece piece{round_up(storage.bytes, memory_alignment) + 2 * fence, storage.first, storage.last, 0};
        if (!options_.share) {
          piece.first = before_first;
          piece.last = end;
        }
        pieces.push_back(piece);
        roots.push_back(value);
      }
    }
    std::vector<size_t> workspaces;
    for (int i = 0; i < end; ++i) {
      const int64_t bytes = plan_.nodes_[static_cast<size_t>(i)].kernel.workspace_bytes;
      if (bytes > 0) {
        pieces.push_back({round_up(bytes, memory_alignment) + 2 * fence, options_.guard ? before_first : i,
                          options_.guard ? end : i, 0});
        roots.push_back(~i);
      }
    }
    plan_.peak_bytes_ = place_pieces(pieces);
    plan_.lower_bound_bytes_ = largest_live_sum(pieces);

    for (size_t p = 0; p < pieces.size(); ++p) {
      if (roots[p] < 0) {
        plan_.nodes_[static_cast<size_t>(~roots[p])].workspace_offset = pieces[p].offset + fence;
      } else {
        storages_[static_cast<size_t>(roots[p])].offset = pieces[p].offset + fence;
      }
    }
    for (int value = 0; value < static_cast<int>(storages_.size()); ++value) {
      const Storage& own = storage(value);
      PlannedValue& planned = plan_.values_[static_cast<size_t>(value)];
      const bool used = storages_[static_cast<size_t>(value)].in_arena;
      if (used && own.in_arena) {
        planned.offset = own.offset;
        planned.first = own.first;
        planned.last = own.last;
      }
    }
  }

  PlanOptions options_;
  Program program_;
  Plan plan_;
  std::vector<int> parent_;
  std::vector<Storage> storages_;
};

Plan make_plan(const Graph& graph, std::span<const Value> outputs, const PlanOptions& options) {
  return Planner(graph, outputs, options).build();
}

PlanOptions planned_for(Device device, PlanOptions options) {
  if (const auto accelerator = accelerator_for(device)) {
    options.kernels.cuda = &accelerator->kernels();
    options.kernels.stream = {accelerator->stream()};
  }
  return options;
}

int64_t Plan::variable_bytes() const {
  std::vector<bool> used(values_.size(), false);
  for (const PlannedNode& node : nodes_) {
    for (int input : node.inputs) {
      used[static_cast<size_t>(input)] = true;
    }
  }
  int64_t bytes = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (used[i] && values_[i].kind == ValueKind::variable) {
      bytes += values_[i].type.bytes();
    }
  }
  return bytes;
}

Cost Plan::total_cost() const {
  Cost total;
  for (const PlannedNode& node : nodes_) {
    total.flops += node.cost.flops;
    total.bytes += node.cost.bytes;
  }
  return total;
}

}  // namespace fer
