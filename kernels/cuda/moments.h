// Means and sums of squared deviations of parts of the rows of [...,C], and what they give for all rows.
#pragma once

#include "kernels/cuda/channels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// What a kernel leaves for the batch normalisation that follows: for each of `parts` parts of the rows their count
// [parts], and each channel's mean and squared deviations from it [parts,C].
struct PartMoments {
  float* count;
  float* mean;
  float* squares;
};

inline int64_t part_moments_bytes(int64_t channels) {
  return most_parts * (1 + 2 * channels) * static_cast<int64_t>(sizeof(float));
}

inline PartMoments part_moments(std::byte* workspace, int64_t channels) {
  float* const count = reinterpret_cast<float*>(workspace);
  return {count, count + most_parts, count + most_parts + most_parts * channels};
}

// (count, mean, squares) takes in another such triple: the update of Chan, Golub and LeVeque (1979).
template <class T>
__device__ __forceinline__ void merge_moments(T& count, T& mean, T& squares, T other_count, T other_mean,
                                              T other_squares) {
  if (other_count == 0) {
    return;
  }
  const T total = count + other_count;
  const T delta = other_mean - mean, share = other_count / total;
  mean += delta * share;
  squares += other_squares + delta * delta * count * share;
  count = total;
}

// Sums about the first value, so that nothing cancels however large the mean is.
template <int width>
struct RunningMoments {
  int count = 0;
  float shift[width], sum[width], squares[width];

  __device__ __forceinline__ void add(const float (&value)[width]) {
#pragma unroll
    for (int i = 0; i < width; ++i) {
      if (count == 0) {
        shift[i] = value[i];
        sum[i] = squares[i] = 0;
      }
      const float deviation = value[i] - shift[i];
      sum[i] += deviation;
      squares[i] += deviation * deviation;
    }
    ++count;
  }
};

// Merges what the block's threads of one threadIdx.x have seen and writes it as part blockIdx.x. `shared` has room for
// (1 + 2 * width) * channel_threads floats.
template <int width>
__device__ void write_part(const RunningMoments<width>& own, int channels, const PartMoments& parts, float* shared) {
  float* const count = shared + thread_number();
  float* const mean = count + channel_threads;
  float* const squares = mean + width * channel_threads;
  *count = static_cast<float>(own.count);
#pragma unroll
  for (int i = 0; i < width; ++i) {
    const float offset = own.count == 0 ? 0 : own.sum[i] / static_cast<float>(own.count);
    mean[i * channel_threads] = own.count == 0 ? 0 : own.shift[i] + offset;
    squares[i * channel_threads] = own.count == 0 ? 0 : own.squares[i] - own.sum[i] * offset;
  }
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) {
      const unsigned other = half * blockDim.x;
      float total = *count;
#pragma unroll
      for (int i = 0; i < width; ++i) {
        const int at = i * channel_threads;
        total = *count;
        merge_moments(total, mean[at], squares[at], count[other], mean[at + other], squares[at + other]);
      }
      *count = total;
    }
  }
  const int channel = first_channel(width);
  if (threadIdx.y != 0 || channel >= channels) {
    return;
  }
  if (channel == 0) {
    parts.count[blockIdx.x] = *count;
  }
#pragma unroll
  for (int i = 0; i < width; ++i) {
    parts.mean[static_cast<int64_t>(blockIdx.x) * channels + channel + i] = mean[i * channel_threads];
    parts.squares[static_cast<int64_t>(blockIdx.x) * channels + channel + i] = squares[i * channel_threads];
  }
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
