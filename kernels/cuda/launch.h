// What a CUDA file includes before anything else: CUDA itself under nvcc, its emulation under a C++ compiler, and the
// few things that are spelt alike in both. Kernels are plain CUDA C++ except for shared memory, FER_SHARED, and
// launches, launch().
#pragma once

#include <cuda_runtime.h>

#include <tuple>
#include <utility>

#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/error.h"

#ifdef FER_CUDA_EMULATED
#include "kernels/cuda/emulation/device.h"
#else
// FER_SHARED(float, sums, [8][32]) declares the block's shared array float sums[8][32].
#define FER_SHARED(Type, name, ...) __shared__ Type name __VA_ARGS__
// FER_DYNAMIC_SHARED(float, tile) declares float* tile, the launch's shared_bytes bytes, aligned to 16.
#define FER_DYNAMIC_SHARED(Type, name)                          \
  extern __shared__ __align__(16) unsigned char fer_dynamic_[]; \
  Type* const name = reinterpret_cast<Type*>(fer_dynamic_)
#endif

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// How many blocks of how many threads; `name` is for errors.
struct Grid {
  const char* name;
  dim3 blocks;
  dim3 threads;
  size_t shared_bytes = 0;
};

// Queues kernel(arguments...). No blocks at all are no launch. Throws Error naming the kernel when it cannot be
// launched; in the emulation, also when it was seen to misbehave.
template <class... Parameters, class... Arguments>
void launch(Stream stream, const Grid& grid, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) {
    return;
  }
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
#ifdef FER_CUDA_EMULATED
  emulation::launch_on(stream.handle, [grid, kernel, values] {
    emulation::run(grid.name, grid.blocks, grid.threads, grid.shared_bytes, [&] { std::apply(kernel, values); });
  });
#else
  const cudaError_t status = std::apply(
      [&](Parameters&... value) {
        void* addresses[] = {const_cast<void*>(static_cast<const void*>(&value))...};
        return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid.blocks, grid.threads, addresses,
                                grid.shared_bytes, static_cast<cudaStream_t>(stream.handle));
      },
      values);
  if (status != cudaSuccess) {
    fail(grid.name, ": cannot be launched as ", grid.blocks.x, "x", grid.blocks.y, "x", grid.blocks.z, " blocks of ",
         grid.threads.x, "x", grid.threads.y, "x", grid.threads.z, " threads: ", cudaGetErrorString(status));
  }
#endif
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
