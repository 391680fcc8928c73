// The sum over all but the last dimension: what a bias' gradient is.
#pragma once

#include "autograd/graph.h"

namespace fer {

// x [...,C] -> [C].
Value channel_sum(Value x);

}  // namespace fer
