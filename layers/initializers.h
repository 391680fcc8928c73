// First values of parameters.
#pragma once

#include "autograd/graph.h"

namespace fer {

Initializer filled(double value);

// Normal with standard deviation sqrt(2 / fan) (He et al., 2015, for layers followed by a ReLU).
Initializer he_normal(int64_t fan);

// Normal with mean 0.
Initializer normal(double standard_deviation);

// Uniform in ± bound.
Initializer uniform(double bound);

}  // namespace fer
