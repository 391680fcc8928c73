// The plan: which operations run, in what order, on which bytes. Pure integer work; nothing is allocated.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "autograd/graph.h"

namespace fer {

struct PlanOptions {
  bool fuse = true;
  bool share = true;     // values that never live at once share bytes; false gives each its own, the planner's oracle
  bool in_place = true;  // elementwise results take over the bytes of an input that dies there
  // Results may be made again, and parameters updated one by one, to save memory: as far as peak_bytes() is more than
  // memory_limit (0: no limit), and as far as that takes no more than this share of the estimated time of a plan of
  // more than 256 MiB, variables included, of which 29% are enough. A plan that is above the limit nevertheless is the
  // smallest that was found.
  int64_t memory_limit = 0;
  double recompute = 0;
  bool guard = false;  // 64 bytes of fence on both sides of every value, which the executor checks (tests)
  PrepareOptions kernels;
  std::optional<cuda::Stream> second_stream;  // of the GPU, that weight gradients may be queued on
};

struct PlannedValue {
  ValueType type;
  ValueKind kind = ValueKind::result;
  std::string name;
  Initializer initializer;
  int64_t offset = -1;      // in the arena; -1 for variables, residents and values nobody needs
  int first = 0, last = 0;  // nodes during which its bytes are taken (inputs from -1, outputs of the plan to the end)
};

struct PlannedNode {
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs, outputs;  // of values()
  std::string scope;
  Phase phase = Phase::forward;
  Cost cost;
  Kernel kernel;
  int64_t workspace_offset = 0;
  int64_t kept_offset = 0;             // among what is kept
  decltype(Kernel::run) run_beside{};  // kernel.run on the second stream; empty where it is not to run there
};

class Plan {
 public:
  const std::vector<PlannedNode>& nodes() const { return nodes_; }
  // Indexed by Value::id() of the graph.
  const std::vector<PlannedValue>& values() const { return values_; }
  const std::vector<int>& outputs() const { return outputs_; }

  // Bytes of the arena: inputs, results and workspace.
  int64_t peak_bytes() const { return peak_bytes_; }
  // The largest sum of values (and workspace) that live at once: no placement can need less.
  int64_t lower_bound_bytes() const { return lower_bound_bytes_; }
  // Bytes of the variables the plan reads or updates.
  int64_t variable_bytes() const;
  // Bytes of what kernels made of the variables once, where those stay.
  int64_t kept_bytes() const { return kept_bytes_; }
  Cost total_cost() const;
  bool guarded() const { return guarded_; }
  // Whose memory its kernels work in: cpu, or cuda where PlanOptions::kernels said so.
  Device device() const { return device_; }

 private:
  friend class Planner;
  std::vector<PlannedNode> nodes_;
  std::vector<PlannedValue> values_;
  std::vector<int> outputs_;
  int64_t peak_bytes_ = 0;
  int64_t lower_bound_bytes_ = 0;
  int64_t kept_bytes_ = 0;
  bool guarded_ = false;
  Device device_ = Device::cpu;
};

// Plans the nodes that `outputs` need. Bytes of fences on each side of a value in a guarded plan:
constexpr int64_t guard_bytes = memory_alignment;

Plan make_plan(const Graph& graph, std::span<const Value> outputs, const PlanOptions& options = {});
// Equal ones, for executors that run at the same time. Their kernels share code, but no state.
std::vector<Plan> make_plans(int64_t count, const Graph& graph, std::span<const Value> outputs,
                             const PlanOptions& options);

// The options with the kernels of `device`, which must be available; for null those of the CPU.
PlanOptions planned_for(Device device, PlanOptions options = {});

}  // namespace fer
