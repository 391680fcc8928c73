// Precision::bf16 as a pass over what is planned: graphs are recorded and differentiated in f32 alone.
#pragma once

#include "autograd/operation.h"
#include "autograd/program.h"

namespace fer {

// The program with the results of operations that take part (see Half) stored in bf16, and conversions where a kernel
// wants a value in the other type. Inputs, variables and outputs of the program stay in f32. The kernels that
// `options` would have prepared say what they read and write.
Program in_half_precision(Program program, const PrepareOptions& options);

// operation.prepare() for values stored as `inputs` and `outputs` say.
Kernel prepare_as_stored(const Operation& operation, std::vector<ValueType> inputs, std::vector<ValueType> outputs,
                         PrepareOptions options);

}  // namespace fer
