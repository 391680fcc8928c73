#include "autograd/plan.h"

#include "autograd/half_precision.h"
#include "autograd/lifetimes.h"
#include "autograd/placement.h"
#include "autograd/program.h"
#include "autograd/recomputation.h"
#include "kernels/prepared.h"
#include "tensor/accelerator.h"

namespace fer {

namespace {

// The share of memory that a share of time has to save.
constexpr double least_worth = 5;
// Memory, variables included, that no time is spent to save: so many bytes, and this share of what a plan takes that
// makes nothing again.
constexpr int64_t small_bytes = int64_t{256} << 20;
constexpr double small_share = 0.71;
// The share of memory that a workspace may cost which nothing else lies in.
constexpr double most_for_workspace = 0.03;

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
      fuse(program_, options.kernels);
      read_pieces(program_);
      drop_dead_nodes(program_);
    }
  }

  Plan build() {
    const SharedPreparation shared;
    prepare_kernels();
    place();
    if (options_.share && (options_.recompute > 0 || is_above_limit())) {
      reduce();
    }
    return std::move(plan_);
  }

 private:
  void prepare_kernels() {
    plan_.device_ = options_.kernels.cuda != nullptr ? Device::cuda : Device::cpu;
    if (options_.kernels.precision == Precision::bf16) {
      program_ = in_half_precision(std::move(program_), options_.kernels);
    }
    for (const Node& node : program_.nodes) {
      PlannedNode planned{node.operation, node.inputs, node.outputs, node.scope, node.phase, {}, {}, 0};
      prepare(planned);
      planned.kept_offset = plan_.kept_bytes_;
      plan_.kept_bytes_ += round_up(planned.kernel.kept_bytes, memory_alignment);
      plan_.nodes_.push_back(std::move(planned));
    }
    plan_.outputs_ = program_.outputs;
    plan_.guarded_ = options_.guard;
  }

  // Sets the node's cost and kernels.
  void prepare(PlannedNode& node) const {
    if (node.operation->is_view()) {
      return;
    }
    const auto inputs = types_of(node.inputs, program_.values);
    const auto outputs = types_of(node.outputs, program_.values);
    node.cost = node.operation->cost(inputs, outputs);
    PrepareOptions kernels = options_.kernels;
    kernels.weights_stay = kernels.weights_stay && has_weights(node);
    node.kernel = prepare_as_stored(*node.operation, inputs, outputs, kernels);
    node.cost.saved_flops = node.kernel.saved_flops;
    node.run_beside = nullptr;
    if (options_.second_stream && node.operation->is_weight_gradient()) {
      PrepareOptions beside = options_.kernels;
      beside.stream = *options_.second_stream;
      node.run_beside = prepare_as_stored(*node.operation, inputs, outputs, beside).run;
    }
    if (node.kernel.device != plan_.device_) {
      fail(node.operation->name(), ": has no kernel for device ", plan_.device_);
    }
  }

  // Whether its second input is a variable.
  bool has_weights(const PlannedNode& node) const {
    return node.inputs.size() > 1 && program_.values[static_cast<size_t>(node.inputs[1])].kind == ValueKind::variable;
  }

  bool is_above_limit() const { return options_.memory_limit > 0 && plan_.peak_bytes_ > options_.memory_limit; }

  void reduce() {
    const Plan whole = plan_;
    const std::vector<ValueRecord> values = program_.values;
    const double price = price_of(whole.total_cost());
    Recomputation recomputation(plan_.nodes_, program_.values, plan_.outputs_,
                                [this](PlannedNode& node) { prepare(node); });
    const double share = small_share * static_cast<double>(whole.peak_bytes_ + whole.variable_bytes());
    const int64_t small = std::max(small_bytes, static_cast<int64_t>(share)) - whole.variable_bytes();
    const int64_t enough = options_.memory_limit > 0 ? 0 : small;
    recomputation.reduce_to(enough, options_.recompute * price);
    place();
    // The limit is on bytes as they are placed, which may leave gaps: by as much the sums of what lives must be lower.
    int64_t target = options_.memory_limit;
    for (bool reduced = true; reduced && is_above_limit();) {
      reduced = recomputation.reduce_to(target);
      place();
      target -= plan_.peak_bytes_ - options_.memory_limit;
    }
    const double left = static_cast<double>(plan_.peak_bytes_) / static_cast<double>(whole.peak_bytes_);
    if (options_.memory_limit == 0 && 1 - left < least_worth * recomputation.spent() / price) {
      plan_ = whole;
      program_.values = values;
    }
  }

  void place() {
    place(options_.share && plan_.device_ == Device::cpu);
    const double excess = static_cast<double>(plan_.peak_bytes_ - plan_.lower_bound_bytes_);
    if (is_above_limit() || excess > most_for_workspace * static_cast<double>(plan_.lower_bound_bytes_)) {
      place(false);
    }
  }

  // `one_workspace`: all nodes work in the same bytes. Threads find there, in their caches, what they left, and what
  // all of them read there does not lie in the way of results: a core that stores where others have read waits for
  // them.
  void place(bool one_workspace) {
    const int64_t fence = options_.guard ? guard_bytes : 0;
    const int end = static_cast<int>(plan_.nodes_.size());
    const Lifetimes lifetimes(plan_.nodes_, program_.values, plan_.outputs_, options_.in_place && options_.share);
    std::vector<Piece> pieces;
    std::vector<int> owners;  // values, -1 - i for the workspace of node i
    const auto add_piece = [&](int owner, int64_t bytes, int first, int last, bool shares) {
      pieces.push_back(
          {round_up(bytes, memory_alignment) + 2 * fence, shares ? first : before_first_node, shares ? last : end, 0});
      owners.push_back(owner);
    };
    for (int value = 0; value < lifetimes.value_count(); ++value) {
      const Storage& storage = lifetimes.of(value);
      if (lifetimes.root(value) == value && storage.in_arena) {
        add_piece(value, storage.bytes, storage.first, storage.last, options_.share);
      }
    }
    const size_t values = pieces.size();
    int64_t most = 0;
    for (int i = 0; i < end; ++i) {
      const int64_t bytes = plan_.nodes_[static_cast<size_t>(i)].kernel.workspace_bytes;
      if (bytes > 0) {
        add_piece(-1 - i, bytes, i, i, !options_.guard);
        most = std::max(most, bytes);
      }
    }
    plan_.lower_bound_bytes_ = largest_live_sum(pieces);
    if (one_workspace) {
      pieces.resize(values);
      add_piece(0, most, before_first_node, end, true);
    }
    plan_.peak_bytes_ = place_pieces(pieces);

    std::vector<int64_t> offsets(program_.values.size());
    if (one_workspace) {
      for (PlannedNode& node : plan_.nodes_) {
        node.workspace_offset = pieces.back().offset;
      }
      pieces.pop_back();
    }
    for (size_t p = 0; p < pieces.size(); ++p) {
      const int64_t offset = pieces[p].offset + fence;
      if (owners[p] < 0) {
        plan_.nodes_[static_cast<size_t>(-1 - owners[p])].workspace_offset = offset;
      } else {
        offsets[static_cast<size_t>(owners[p])] = offset;
      }
    }
    plan_.values_.clear();
    for (int value = 0; value < lifetimes.value_count(); ++value) {
      const ValueRecord& record = program_.values[static_cast<size_t>(value)];
      PlannedValue planned{record.type, record.kind, record.name, record.initializer, -1, 0, before_first_node};
      if (lifetimes.is_placed(value)) {
        const Storage& storage = lifetimes.of(value);
        planned.offset = offsets[static_cast<size_t>(lifetimes.root(value))];
        planned.first = storage.first;
        planned.last = storage.last;
      }
      plan_.values_.push_back(std::move(planned));
    }
  }

  PlanOptions options_;
  Program program_;
  Plan plan_;
};

Plan make_plan(const Graph& graph, std::span<const Value> outputs, const PlanOptions& options) {
  return Planner(graph, outputs, options).build();
}

std::vector<Plan> make_plans(int64_t count, const Graph& graph, std::span<const Value> outputs,
                             const PlanOptions& options) {
  const SharedPreparation shared;
  std::vector<Plan> plans;
  for (int64_t i = 0; i < count; ++i) {
    plans.push_back(make_plan(graph, outputs, options));
  }
  return plans;
}

PlanOptions planned_for(Device device, PlanOptions options) {
  if (const auto accelerator = accelerator_for(device)) {
    options.kernels.cuda = &accelerator->kernels();
    options.kernels.stream = {accelerator->stream(Queue::first)};
    options.second_stream = {accelerator->stream(Queue::second)};
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
    total.saved_flops += node.cost.saved_flops;
  }
  return total;
}

}  // namespace fer
