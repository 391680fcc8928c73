#include "autograd/queues.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "autograd/lifetimes.h"

namespace fer {

namespace {

constexpr int in_arena = -1;

// Bytes that a node reads or writes: of the arena, or all of what a variable or resident value holds.
struct Access {
  int space;  // in_arena, or the value's id
  int64_t begin, end;
  bool writes;

  bool conflicts(const Access& other) const {
    return space == other.space && begin < other.end && other.begin < end && (writes || other.writes);
  }
};

// Values by the value that holds their bytes: views of variables and residents by those, all others by themselves.
std::vector<int> holders_of(const Plan& plan) {
  std::vector<int> holders(plan.values().size());
  std::iota(holders.begin(), holders.end(), 0);
  for (const PlannedNode& node : plan.nodes()) {
    if (node.operation->is_view()) {
      holders[static_cast<size_t>(node.outputs[0])] = holders[static_cast<size_t>(node.inputs[0])];
    }
  }
  return holders;
}

std::vector<Access> accesses_of(const PlannedNode& node, const Plan& plan, const std::vector<int>& holders) {
  std::vector<Access> accesses;
  const auto add = [&](int id, bool writes) {
    const PlannedValue& value = plan.values()[static_cast<size_t>(id)];
    const int64_t bytes = value.type.bytes();
    if (value.offset >= 0) {
      accesses.push_back({in_arena, value.offset, value.offset + bytes, writes});
    } else {
      accesses.push_back({holders[static_cast<size_t>(id)], 0, bytes, writes});
    }
  };
  const std::vector<int> mutated = node.operation->mutates();
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    add(node.inputs[i], std::ranges::count(mutated, static_cast<int>(i)) > 0);
  }
  for (int output : node.outputs) {
    add(output, true);
  }
  if (node.kernel.workspace_bytes > 0) {
    accesses.push_back({in_arena, node.workspace_offset, node.workspace_offset + node.kernel.workspace_bytes, true});
  }
  return accesses;
}

bool conflict(const std::vector<Access>& some, const std::vector<Access>& others) {
  return std::ranges::any_of(some, [&](const Access& one) {
    return std::ranges::any_of(others, [&](const Access& other) { return one.conflicts(other); });
  });
}

}  // namespace

std::vector<Wait> waits_between_queues(const Plan& plan) {
  const int end = static_cast<int>(plan.nodes().size());
  const std::vector<int> holders = holders_of(plan);
  std::vector<Wait> waits;
  std::vector<std::vector<Access>> accesses;
  std::array<std::vector<int>, 2> queues;                                   // the nodes of each so far
  std::array<int, 2> waited_for{before_first_node, before_first_node - 1};  // by each queue, the last of the other
  for (int i = 0; i < end; ++i) {
    const PlannedNode& node = plan.nodes()[static_cast<size_t>(i)];
    accesses.push_back(accesses_of(node, plan, holders));
    if (!node.kernel.run) {
      continue;
    }
    const size_t queue = node.run_beside ? 1 : 0;
    int on = before_first_node;
    for (auto other = queues[1 - queue].rbegin(); other != queues[1 - queue].rend() && *other > waited_for[queue];
         ++other) {
      if (conflict(accesses[static_cast<size_t>(i)], accesses[static_cast<size_t>(*other)])) {
        on = *other;
        break;
      }
    }
    if (on > waited_for[queue]) {
      waits.push_back({i, on});
      waited_for[queue] = on;
    }
    queues[queue].push_back(i);
  }
  if (!queues[1].empty() && queues[1].back() > waited_for[0]) {
    waits.push_back({end, queues[1].back()});
  }
  return waits;
}

}  // namespace fer
