// What this machine could do at most: the limits that measured figures stand beside.
#pragma once

#include "autograd/operation.h"
#include "tensor/device.h"

namespace fer {

struct MachineLimits {
  double flops_per_second = 0;  // fused multiply-adds on all threads, f32, counted as two operations each
  double bytes_per_second = 0;  // a large copy on all threads, bytes read plus bytes written

  // The roofline: the time of the arithmetic or of the bytes, whichever is longer.
  double least_seconds(const Cost& cost) const;
};

// Measures both in about a fifth of a second; the best of several tries.
MachineLimits measure_machine();

// The same of the GPU, by a product of two matrices of `side` rows in `precision` and a copy of as many numbers.
MachineLimits measure_gpu(Precision precision, int64_t side = 8192);

// Of `device`; of the CPU for null.
MachineLimits measure_limits(Device device, Precision precision);

}  // namespace fer
