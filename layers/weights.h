// Weights on disk, under PyTorch's names and in its layouts.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "autograd/variables.h"
#include "tensor/safetensors.h"

namespace fer {

// Between Ferrotype's layouts and PyTorch's. The rank tells them apart: convolution weights [out,kh,kw,in] are
// [out,in,kh,kw] in PyTorch, depthwise weights [kh,kw,channels] are [channels,1,kh,kw], weights over a flattened map
// [out,1,H,W,C] are [out,C*H*W]; all others agree.
Tensor to_torch_layout(const Tensor& weight);
// `expected` is Ferrotype's shape. Throws naming `name` when the tensor's shape does not lead to it.
Tensor from_torch_layout(const std::string& name, const Tensor& weight, const Shape& expected);

// The variables of a network (and the optimizer's, when `with_optimizer`), with `metadata` that tells how to build it.
TensorFile weight_file(const Variables& variables, const std::map<std::string, std::string>& metadata,
                       bool with_optimizer);

struct LoadOptions {
  bool partial = false;      // tensors the file lacks keep their first values
  bool replace_head = true;  // a classifier of another number of classes keeps its first values, and is reported
};

// Fills the variables that `graph` declares from `file`. Throws naming the tensor, the file, the expected and the
// found shape. Returns the names that were not loaded.
std::vector<std::string> load_weights(const TensorFile& file, Graph& graph, const std::string& head,
                                      Variables& variables, const LoadOptions& options = {});

// Gives every variable, the optimizer's included, the value it has in the checkpoint. Throws naming one it lacks.
void restore_variables(const TensorFile& file, Variables& variables);

}  // namespace fer
