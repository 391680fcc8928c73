// Sums over the threads of a block, always in the same order.
#pragma once

#include "kernels/cuda/launch.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// The sum of `own` over a one-dimensional block of `threads` (a power of two), the same for every thread. `shared` has
// room for `threads` values and may be used again at once.
template <int threads, class T>
__device__ T block_sum(T own, T* shared) {
  const int self = static_cast<int>(threadIdx.x);
  shared[self] = own;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (self < half) {
      shared[self] += shared[self + half];
    }
  }
  __syncthreads();
  const T total = shared[0];
  __syncthreads();
  return total;
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
