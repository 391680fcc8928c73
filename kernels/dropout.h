// Dropout (Srivastava et al., 2014) and stochastic depth (Huang et al., 2016). The mask is never stored: the backward
// pass is the same operation on dy with the same numbers.
#pragma once

#include <cmath>

#include "kernels/context.h"
#include "tensor/view.h"

namespace fer {

struct DropoutParams {
  double rate = 0.5;        // probability of zero, in [0, 1)
  uint32_t stream = 0;      // of the Philox numbers
  bool per_sample = false;  // one number for each sample [N,…] instead of one for each element
};

// Number i of Philox(seed, stream, step) keeps element (or sample) i when its upper 24 bits reach this.
inline uint32_t dropout_threshold(double rate) { return static_cast<uint32_t>(std::ceil(rate * 0x1p24)); }

// y = 0, or x / (1 - rate). Overwrites y, which may be x. `reference`: one Philox block after another.
template <class T>
void dropout_forward(const DropoutParams& params, const StepContext& step, View<const T> x, View<T> y, bool reference);

}  // namespace fer
