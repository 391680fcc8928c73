// Weights on disk, under PyTorch's names and in its layouts.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "autograd/variables.h"
#include "tensor/safetensors.h"

namespace fer {

// Between Ferrotype's layouts and PyTorch's. The rank tells them apart: convolution weights [out,kh,kw,in] are
// [out,in,kh,kw] in PyTorch, depthwise weights [kh,kw,channels] are [channels,1,kh,kw], weights over a flattened map
// [out,1,H,W,C] are [out,C*H*W]; all others agree.
Tensor to_torch_layout(const Tensor& weight);
// `expected` is Ferrotype's shape. Throws naming `name` when the tensor's shape does not lead to it.
Tensor from_torch_layout(const std::string& name, const Tensor& weight, const Shape& expected);

// Elements moved so that dimension i of the result is dimension order[i] of `tensor`.
Tensor permuted(const Tensor& tensor, std::initializer_list<int> order);

// Whether a variable is the optimizer's, and of no use without it.
bool is_optimizer_state(const std::string& variable);

struct WeightFileOptions {
  bool optimizer = false;       // its moments too: a checkpoint to resume from
  int64_t batches_tracked = 0;  // num_batches_tracked, which PyTorch keeps beside the statistics of each batch-norm
};

// The variables of a network, with `metadata` that tells how to build it. Without the optimizer's, PyTorch's model of
// the same definition takes the file with load_state_dict(strict=True).
TensorFile weight_file(const Variables& variables, const std::map<std::string, std::string>& metadata,
                       const WeightFileOptions& options = {});

struct LoadOptions {
  bool partial = false;      // tensors the file lacks keep their first values
  bool replace_head = true;  // a classifier that the file lacks, or has for other classes, keeps its first values
  std::string prefix = {};   // fill only variables whose names begin with it
  std::map<std::string, std::string> names_in_file = {};  // where they are not the variables': for messages
};

// Fills the variables that `graph` declares from `file`, which has them under their names and in PyTorch's layouts. A
// convolution over one input channel is made from one over three and the other way around, so that a grey image gives
// what its three equal channels gave. Throws naming the tensor, the file, the expected and the found shape. Returns a
// line for everything that was not simply copied.
std::vector<std::string> load_weights(const TensorFile& file, Graph& graph, const std::string& head,
                                      Variables& variables, const LoadOptions& options = {});

// Gives every variable, the optimizer's included, the value it has in the checkpoint. Throws naming one it lacks.
void restore_variables(const TensorFile& file, Variables& variables);

}  // namespace fer
