// Uniform random numbers, as many as a step asks for.
#pragma once

#include "kernels/context.h"
#include "tensor/view.h"

namespace fer {

struct RandomUniformParams {
  double low = 0, high = 1;
  uint32_t stream = 0;  // of the Philox numbers
};

// y[i] = low + (high - low) u, u number i of Philox(seed, stream, step) as a uniform in [0, 1). Overwrites.
template <class T>
void random_uniform_forward(const RandomUniformParams& params, const StepContext& step, View<T> y);

}  // namespace fer
