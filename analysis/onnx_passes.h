// Rewriting a program before it becomes an ONNX file: what need not be computed, and weights as PyTorch would have
// them. `tensors` are the variables' elements by name, in Ferrotype's layouts; passes replace them and add others.
#pragma once

#include <map>
#include <string>

#include "autograd/program.h"

namespace fer {

// Computes what depends on no input; the results become variables. A variable that is only reshaped stays one, under
// its name. `batch`: the extent that stands for any number of images, or -1; throws when a constant has it first.
void evaluate_constants(Program& program, std::map<std::string, Tensor>& tensors, int64_t batch);

// Lets linear layers that read a flattened map [N,H,W,C] read the map itself: their weights [out,H*W*C] become
// [out,C*H*W], so that the map can be flattened as [N,C,H,W].
void flatten_channels_first(Program& program, std::map<std::string, Tensor>& tensors);

// Removes each batch-norm of evaluation that alone reads a convolution, dense or depthwise: the convolution's weight
// and bias become those that give the batch-norm's result. A bias that was not there is added, as a variable named
// beside the weight. Returns how many were removed.
int fold_batch_norms(Program& program, std::map<std::string, Tensor>& tensors);

}  // namespace fer
