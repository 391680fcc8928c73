// Time for memory: results that are made again where they are needed, instead of being kept until then.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "autograd/lifetimes.h"

namespace fer {

// What an operation takes, in bytes: those it moves, and its arithmetic at the 8 operations a byte that today's
// processors and GPUs are made for.
double price_of(const Cost& cost);

// Rewrites the nodes of a plan. Every result stays the same to the bit: what is made again is made by the same kernels
// from the same numbers.
class Recomputation {
 public:
  // `prepare` completes nodes that other operations take part in than were recorded (see Operation::recipe, parts).
  // Updates of single parameters move to where their gradients are ready.
  Recomputation(std::vector<PlannedNode>& nodes, std::vector<ValueRecord>& values, std::span<const int> outputs,
                std::function<void(PlannedNode&)> prepare);

  // Makes results again, those first that free the most bytes for the longest time at the least price, until the
  // largest sum of what lives at once is no more than `bytes`; false when nothing more can be gained, or not without
  // that spent() is more than `budget`.
  bool reduce_to(int64_t bytes, double budget = std::numeric_limits<double>::infinity());
  // The price of all that is made again.
  double spent() const { return spent_; }

 private:
  // A node that runs again, in terms of the values it was recorded with.
  struct Step {
    int node;
    Recipe recipe;
    std::vector<int> inputs, outputs;
  };
  // What makes some values again just before a node.
  struct Chain {
    std::vector<Step> steps;
    std::map<int, int> stand_ins;  // for values that live no more, copies of them that do
    double price = 0;
    int64_t bytes = 0;      // of everything that the steps write
    int64_t workspace = 0;  // the largest of theirs
    bool possible = true;
  };
  // Value `value` is dropped after its last use before `until`, and made again before that node.
  struct Choice {
    int value = -1;
    int until = 0;
    Chain chain;
    double gain = 0;
  };

  void divide_updates();
  void survey();
  Choice best_choice(int peak, double budget) const;
  Choice choice(int value, int peak) const;
  Chain chain_for(int value, int until) const;
  void need(int value, int dropped, int until, Chain& chain) const;
  bool lives(int value, int until) const;
  void apply(const Choice& choice);
  void drop_idle();
  int producer(int value) const { return producers_[static_cast<size_t>(value)]; }
  const PlannedNode& node(int index) const { return nodes_[static_cast<size_t>(index)]; }

  std::vector<PlannedNode>& nodes_;
  std::vector<ValueRecord>& values_;
  const std::span<const int> outputs_;
  const std::function<void(PlannedNode&)> prepare_;
  double spent_ = 0;
  std::vector<int> originals_;              // of each value, itself or the one it is a copy of
  std::map<int, std::vector<int>> copies_;  // of an original

  // What survey() found of the nodes as they are now.
  Lifetimes lifetimes_;                 // in which only views share
  std::vector<int64_t> live_;           // bytes during each node
  std::vector<int64_t> waiting_;        // of those, bytes that are there before it
  std::vector<int> producers_;          // nodes, -1 for what is given
  std::vector<std::vector<int>> uses_;  // of each root, the nodes that read it, ascending
  std::vector<int> updated_;  // of each variable, the first node that updates it, or as many as there are nodes
};

}  // namespace fer
