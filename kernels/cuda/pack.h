// Neighbouring elements moved in one access, and computed with as floats.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/launch.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

constexpr int access_bytes = 16;  // the widest access of one thread

template <class T>
constexpr int widest = access_bytes / static_cast<int>(sizeof(T));

template <class T, int width>
struct alignas(sizeof(T) * width) Pack {
  T at[width];
};

template <int width, class T>
__device__ __forceinline__ void load(const T* from, float (&to)[width]) {
  const Pack<T, width> pack = *reinterpret_cast<const Pack<T, width>*>(from);
#pragma unroll
  for (int i = 0; i < width; ++i) {
    to[i] = static_cast<float>(pack.at[i]);
  }
}

template <int width, class T>
__device__ __forceinline__ void store(T* to, const float (&from)[width]) {
  Pack<T, width> pack;
#pragma unroll
  for (int i = 0; i < width; ++i) {
    pack.at[i] = static_cast<T>(from[i]);
  }
  *reinterpret_cast<Pack<T, width>*>(to) = pack;
}

// What becomes of a value that is stored as T.
template <class T>
__device__ __forceinline__ float rounded(float value) {
  return static_cast<float>(static_cast<T>(value));
}

// May every `width` elements from `data` on be one access? Null may.
template <class T>
bool aligned(const T* data, int width) {
  return reinterpret_cast<uintptr_t>(data) % (sizeof(T) * static_cast<size_t>(width)) == 0;
}

template <class Integer>
constexpr Integer blocks_for(Integer count, Integer each) {
  return (count + each - 1) / each;
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
