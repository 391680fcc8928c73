// What planning works on: a copy of a graph's nodes that passes may drop and rewrite.
#pragma once

#include <span>
#include <vector>

#include "autograd/graph.h"

namespace fer {

struct Program {
  std::vector<Node> nodes;          // in the order they run
  std::vector<ValueRecord> values;  // ids as in the graph; `producer` is not kept up
  std::vector<int> outputs;

  // For every value, the nodes that read it.
  std::vector<std::vector<int>> readers() const;
  // For every value, the node that makes it, or -1.
  std::vector<int> producers() const;
  bool is_output(int value) const;
};

// The types of some of `values`.
std::vector<ValueType> types_of(const std::vector<int>& some, std::span<const ValueRecord> values);

// Drops the nodes that no output needs.
void drop_dead_nodes(Program& program);

// Replaces groups of nodes by fused ones: batch-norm with the residual and activation that follow (and the activation's
// gradient with batch-norm's), in evaluation the convolution before them too, on the GPU in training a depthwise one;
// on the CPU convolutions with the activation that follows and, in evaluation, the batch-norm and max-pooling after
// that, in training 1x1 ones with the batch-norm before; batch-norm's gradient with what is added to it or with that of
// the activation before; and clamp(x + epsilon * sign(g)) by one sign step. Takes the gradient of an activation before
// max-pooling at the pooled pixels.
void fuse(Program& program, const PrepareOptions& kernels);

// Where concatenations are read by operations that can read their pieces, nothing is concatenated.
void read_pieces(Program& program);

}  // namespace fer
