// How threads share images [...,C]: threadIdx.x and blockIdx.y go over packs of neighbouring channels, threadIdx.y and
// blockIdx.x over rows (pixels), so that a warp reads neighbouring memory. And sums over rows in a fixed order.
#pragma once

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cuda/pack.h"
#include "kernels/pieces.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

constexpr int channel_threads = 256;
constexpr int most_channels = 32 * access_bytes / 2;  // of one block

// Calls function(std::integral_constant<int, n>): n is `width` if `channels` and the pointers allow such accesses, else
// 1; `reference` wants 1.
template <int width, class Function, class... Pointers>
void with_pack(bool reference, int64_t channels, Function&& function, const Pointers*... pointers) {
  if (!reference && channels % width == 0 && (aligned(pointers, width) && ...)) {
    function(std::integral_constant<int, width>{});
  } else {
    function(std::integral_constant<int, 1>{});
  }
}

// The same with the widest access there is for T.
template <class T, class Function, class... Pointers>
void with_width(bool reference, int64_t channels, Function&& function, const Pointers*... pointers) {
  with_pack<widest<T>>(reference, channels, std::forward<Function>(function), pointers...);
}

// Blocks for rows x channels, each thread with `width` channels of about `rows_each` rows, but no more than
// `most_blocks` blocks one after another along the rows: threads then take further rows.
inline Grid channel_grid(const char* name, int64_t rows, int64_t channels, int width, int64_t rows_each = 1,
                         int64_t most_blocks = std::numeric_limits<int>::max()) {
  if (rows > std::numeric_limits<int>::max() || channels > std::numeric_limits<int>::max()) {
    fail(name, ": ", rows, " pixels of ", channels, " channels; a kernel takes fewer than 2^31 of each");
  }
  const int64_t packs = blocks_for<int64_t>(channels, width);
  int64_t lanes = 1;
  while (lanes < packs && lanes < 32) {
    lanes *= 2;
  }
  const int64_t block_rows = channel_threads / lanes;
  const int64_t blocks = std::min(most_blocks, blocks_for(rows, block_rows * rows_each));
  return {name, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(blocks_for(packs, lanes))),
          dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(block_rows))};
}

// One block along the rows for each image, whose pixels threadIdx.y goes over.
inline Grid image_grid(const char* name, int64_t images, int64_t channels, int width) {
  Grid grid = channel_grid(name, images, channels, width);
  grid.blocks.x = static_cast<unsigned>(images);
  return grid;
}

// The thread's first row, how far it is to its next one, and its first channel.
__device__ __forceinline__ int first_row() { return static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); }
__device__ __forceinline__ int row_step() { return static_cast<int>(gridDim.x * blockDim.y); }
__device__ __forceinline__ int first_channel(int width) {
  return static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * width;
}

// The block's first channel, and the thread's number among all of the block.
__device__ __forceinline__ int block_channel(int width) { return static_cast<int>(blockIdx.y * blockDim.x) * width; }
__device__ __forceinline__ int thread_number() { return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); }

// Whether x can be read in the widest packs.
template <class T>
bool in_packs(const Pieces<const T>& x) {
  bool all = true;
  for (int i = 0; i < x.count; ++i) {
    all = all && x.channels(i) % widest<T> == 0 && aligned(x.data[i], widest<T>);
  }
  return all;
}

// One channel of x: where its first row's value stands, and how far it is to the next.
template <class T>
struct Column {
  const T* data;
  int64_t step;

  __device__ __forceinline__ Column(const Pieces<const T>& x, int channel) {
    int piece = 0;
    while (channel >= x.first[piece + 1]) {
      ++piece;
    }
    data = x.data[piece] + (channel - x.first[piece]);
    step = x.first[piece + 1] - x.first[piece];
  }
  __device__ __forceinline__ const T* row(int number) const { return data + number * step; }
};

// Where threadIdx.y is 0, own[i] becomes its sum over the block's threads of the same threadIdx.x. `shared` has room
// for count * channel_threads values; the first sums stay in shared[threadIdx.x], for any thread to read.
template <int count, class T>
__device__ void sum_over_rows(T (&own)[count], T* shared) {
  T* const self = shared + thread_number();
#pragma unroll
  for (int i = 0; i < count; ++i) {
    self[i * channel_threads] = own[i];
  }
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
#pragma unroll
      for (int i = 0; i < count; ++i) {
        self[i * channel_threads] += self[i * channel_threads + half * blockDim.x];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < count; ++i) {
    own[i] = self[i * channel_threads];
  }
  __syncthreads();
}

// How many blocks share the rows of a sum: a function of the shape alone, so that sums are reproducible.
constexpr int64_t most_parts = 128;
inline Grid part_grid(const char* name, int64_t rows, int64_t channels, int width) {
  return channel_grid(name, rows, channels, width, 8, most_parts);
}

// y[i] = the sum of sums[part][i] over all parts, in double.
template <class To>
__global__ void sum_parts_kernel(int parts, int64_t size, const float* sums, To* y) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < size) {
    double total = 0;
    for (int part = 0; part < parts; ++part) {
      total += static_cast<double>(sums[part * size + i]);
    }
    y[i] = static_cast<To>(static_cast<float>(total));
  }
}

template <class To>
void sum_parts(const char* name, int parts, int64_t size, const float* sums, To* y, Stream stream) {
  launch(stream, {name, dim3(static_cast<unsigned>(blocks_for<int64_t>(size, 128))), dim3(128)}, sum_parts_kernel<To>,
         parts, size, sums, y);
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
