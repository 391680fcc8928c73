// Convolutions that take over the batch-norm behind them.
#pragma once

#include <map>
#include <string>

#include "autograd/program.h"

namespace fer {

// Removes each batch-norm of evaluation that alone reads a convolution, dense or depthwise: the convolution's weight
// and bias in `tensors` (by variable, in Ferrotype's layouts) become those that give the batch-norm's result. A bias
// that was not there is added, as a variable named beside the weight. Returns how many were removed.
int fold_batch_norms(Program& program, std::map<std::string, Tensor>& tensors);

}  // namespace fer
