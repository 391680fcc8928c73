// CUDA's device-side language for a C++ compiler, as far as the kernels use it. Included by launch.h only.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/emulation/memory.h"
#include "kernels/cuda/emulation/scheduler.h"

// NOLINTBEGIN(bugprone-reserved-identifier, bugprone-macro-parentheses, readability-identifier-naming): CUDA's names

#ifndef __launch_bounds__
#define __launch_bounds__(...)
#endif

#define FER_SHARED(Type, name, ...)                         \
  using name##_type = Type __VA_ARGS__;                     \
  static ::fer::emulation::SharedArray name##_array(#name); \
  name##_type& name = *static_cast<name##_type*>(name##_array.get(sizeof(name##_type)))
#define FER_DYNAMIC_SHARED(Type, name) Type* const name = static_cast<Type*>(::fer::emulation::dynamic_shared())

// The caller's place, for messages.
#define FER_CALLER int line = __builtin_LINE(), const char *file = __builtin_FILE()

namespace fer::cuda {
inline namespace emulated {

using std::max;
using std::min;

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

inline void __syncthreads(FER_CALLER) { emulation::barrier(false, {file, line}); }
inline int __syncthreads_count(int predicate, FER_CALLER) { return emulation::barrier(predicate != 0, {file, line}); }
inline int __syncthreads_or(int predicate, FER_CALLER) { return __syncthreads_count(predicate, line, file) != 0; }
inline int __syncthreads_and(int predicate, FER_CALLER) { return __syncthreads_count(!predicate, line, file) == 0; }

inline void __syncwarp(unsigned mask = ~0U, FER_CALLER) { emulation::synchronise_warp(mask, {file, line}); }
inline unsigned __ballot_sync(unsigned mask, int predicate, FER_CALLER) {
  return emulation::ballot(mask, predicate != 0, {file, line});
}
inline int __any_sync(unsigned mask, int predicate, FER_CALLER) {
  return __ballot_sync(mask, predicate, line, file) != 0;
}
inline int __all_sync(unsigned mask, int predicate, FER_CALLER) {
  return __ballot_sync(mask, !predicate, line, file) == 0;
}

// What the four shuffles share: the value of lane `source`, or one's own where that leaves the group of `width`.
template <class T>
T shuffled(unsigned mask, T value, int source, int width, emulation::SourceLine at) {
  const int lane = static_cast<int>(emulation::lane()), group = lane & ~(width - 1);
  const bool inside = source >= group && source < group + width;
  T result;
  emulation::shuffle(mask, &value, &result, sizeof(T), static_cast<unsigned>(inside ? source : lane), at);
  return result;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, FER_CALLER) {
  const int group = static_cast<int>(emulation::lane()) & ~(width - 1);
  return shuffled(mask, value, group + (source & (width - 1)), width, {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, FER_CALLER) {
  return shuffled(mask, value, static_cast<int>(emulation::lane()) - static_cast<int>(by), width, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, FER_CALLER) {
  return shuffled(mask, value, static_cast<int>(emulation::lane()) + static_cast<int>(by), width, {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32, FER_CALLER) {
  return shuffled(mask, value, static_cast<int>(emulation::lane()) ^ with, width, {file, line});
}

// Atomic for ThreadSanitizer's sake: only one thread ever runs. Floating-point sums are not offered: their order would
// be the threads'.
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "sums of floating-point numbers need a fixed order");
  return __atomic_fetch_add(address, value, __ATOMIC_ACQ_REL);
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return __atomic_exchange_n(address, value, __ATOMIC_ACQ_REL);
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return expected;
}

}  // namespace emulated
}  // namespace fer::cuda

// NOLINTEND(bugprone-reserved-identifier, bugprone-macro-parentheses, readability-identifier-naming)
