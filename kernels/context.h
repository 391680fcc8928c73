// What changes from step to step, for kernels that care.
#pragma once

#include <cstdint>

namespace fer {

// Random operations draw Philox(seed, their stream, step).
struct StepContext {
  uint64_t seed = 0;
  uint64_t step = 0;
};

}  // namespace fer
