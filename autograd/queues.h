// What a plan's weight gradients, on a queue of their own, and its other nodes must wait for. Pure integer work.
#pragma once

#include <vector>

#include "autograd/plan.h"

namespace fer {

// Node `node` waits for node `on` of the other queue. Where `node` is the number of nodes, the end of the run does, and
// where `on` is before_first_node, for what came before the run.
struct Wait {
  int node = 0;
  int on = 0;
};

// The waits, in the order of nodes, that keep apart any two nodes of which one writes bytes that the other reads or
// writes: nodes with run_beside run in their order on one queue, all others in theirs on the other. None that follows
// from those before it. Empty when there is one queue only.
std::vector<Wait> waits_between_queues(const Plan& plan);

}  // namespace fer
