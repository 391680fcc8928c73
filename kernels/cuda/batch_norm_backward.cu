#include "kernels/cuda/activate.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/channels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int64_t apply_rows = 4;  // of one thread, when there are enough blocks
constexpr int64_t most_apply_blocks = 1024;

// The statistics that x was normalised with: the batch's, which depend on x, or the running ones, which do not.
struct BatchStatistics {
  static constexpr bool depend_on_x = true;
  const float *mean, *inverse_std;
  __device__ float inverse(int c) const { return inverse_std[c]; }
};

struct RunningStatistics {
  static constexpr bool depend_on_x = false;
  const float *mean, *var;
  float epsilon;
  __device__ float inverse(int c) const { return 1 / sqrtf(var[c] + epsilon); }
};

// The pre-activation's gradient: z was centred * scale + shift.
__device__ __forceinline__ float dz_of(Activation activation, float dy, float centred, float scale, float shift) {
  return activation == Activation::identity ? dy : dy * slope_at(activation, centred * scale + shift);
}

// dz (x - mean), then dz, summed over the rows of each part: sums [2,parts,C].
template <int width, class T, class Statistics>
__global__ void __launch_bounds__(channel_threads)
    sums_kernel(Activation activation, Statistics statistics, const float* gamma, const float* beta, int rows,
                int channels, const T* dy, Pieces<const T> x, float* sums) {
  FER_SHARED(float, shared, [2 * width * channel_threads]);
  const int channel = first_channel(width);
  float own[2 * width] = {};
  if (channel < channels) {
    float centre[width], scale[width], shift[width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
      centre[i] = statistics.mean[channel + i];
      scale[i] = statistics.inverse(channel + i) * gamma[channel + i];
      shift[i] = beta[channel + i];
    }
    const Column<T> column(x, channel);
    for (int row = first_row(); row < rows; row += row_step()) {
      float slope[width], value[width];
      load(dy + static_cast<int64_t>(row) * channels + channel, slope);
      load(column.row(row), value);
#pragma unroll
      for (int i = 0; i < width; ++i) {
        const float centred = value[i] - centre[i];
        const float dz = dz_of(activation, slope[i], centred, scale[i], shift[i]);
        own[i] += dz * centred;
        own[width + i] += dz;
      }
    }
  }
  sum_over_rows(own, shared);
  if (threadIdx.y == 0 && channel < channels) {
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const int64_t at = static_cast<int64_t>(blockIdx.x) * channels + channel + i;
      sums[at] = own[i];
      sums[static_cast<int64_t>(most_parts) * channels + at] = own[width + i];
    }
  }
}

// dgamma and dbeta from all parts; dx = dz scale + centred slope + constant + added where x was
// not clamped. Without parts, dx alone.
template <int width, class T, class Statistics>
__global__ void __launch_bounds__(channel_threads)
    gradient_kernel(Activation activation, Activation before, Statistics statistics, const float* gamma,
                    const float* beta, const float* sums, int parts, int rows, int channels, const T* dy,
                    Pieces<const T> x, const T* added, int added_channels, T* dx, float* dgamma, float* dbeta) {
  FER_SHARED(float, slopes, [most_channels]);
  FER_SHARED(float, constants, [most_channels]);
  const int block_channels = min(static_cast<int>(blockDim.x) * width, channels - block_channel(width));
  for (int at = thread_number(); at < block_channels; at += channel_threads) {
    const int c = block_channel(width) + at;
    double with_centred = 0, alone = 0;
    for (int part = 0; part < parts; ++part) {
      with_centred += sums[static_cast<int64_t>(part) * channels + c];
      alone += sums[static_cast<int64_t>(most_parts + part) * channels + c];
    }
    const double inverse = statistics.inverse(c), share = inverse * gamma[c] / rows;
    slopes[at] = static_cast<float>(-share * inverse * inverse * with_centred);
    constants[at] = static_cast<float>(-share * alone);
    if (blockIdx.x == 0 && dgamma != nullptr) {
      dgamma[c] = static_cast<float>(inverse * with_centred);
    }
    if (blockIdx.x == 0 && dbeta != nullptr) {
      dbeta[c] = static_cast<float>(alone);
    }
  }
  __syncthreads();
  const int channel = first_channel(width);
  if (channel >= channels || dx == nullptr) {
    return;
  }
  const bool reads_x = Statistics::depend_on_x || activation != Activation::identity || before != Activation::identity;
  const Column<T> column(x, channel);
  for (int row = first_row(); row < rows; row += row_step()) {
    const int64_t at = static_cast<int64_t>(row) * channels + channel;
    float slope[width], value[width] = {}, other[width] = {};
    load(dy + at, slope);
    if (reads_x) {
      load(column.row(row), value);
    }
    if (added != nullptr) {
      load(added + static_cast<int64_t>(row) * added_channels + channel, other);
    }
#pragma unroll
    for (int i = 0; i < width; ++i) {
      const int own = static_cast<int>(threadIdx.x) * width + i;
      const float centred = value[i] - statistics.mean[channel + i];
      const float scale = statistics.inverse(channel + i) * gamma[channel + i];
      slope[i] = dz_of(activation, slope[i], centred, scale, beta[channel + i]) * scale;
      if constexpr (Statistics::depend_on_x) {
        slope[i] += centred * slopes[own] + constants[own];
      }
      slope[i] = (slope[i] + other[i]) * slope_at(before, value[i]);
    }
    store(dx + at, slope);
  }
}

template <class T, class Statistics>
void backward(Activation activation, Activation before, View<const T> dy, Pieces<const T> x,
              const Statistics& statistics, View<const float> gamma, View<const float> beta, View<const T> added,
              View<T> dx, View<float> dgamma, View<float> dbeta, std::byte* workspace, Stream stream, bool reference) {
  const int64_t channels = gamma.size(), rows = dy.size() / channels;
  const int row_count = static_cast<int>(rows), channel_count = static_cast<int>(channels);
  const int added_channels = added.data == nullptr ? 0 : static_cast<int>(added[-1]);
  float* const sums = reinterpret_cast<float*>(workspace);
  const auto run = [&](auto width) {
    int parts = 0;
    if (Statistics::depend_on_x || dgamma.data != nullptr || dbeta.data != nullptr) {
      const Grid grid = part_grid("batch_norm_backward_sums", rows, channels, width);
      parts = static_cast<int>(grid.blocks.x);
      launch(stream, grid, sums_kernel<width.value, T, Statistics>, activation, statistics, gamma.data, beta.data,
             row_count, channel_count, dy.data, x, sums);
    }
    const int64_t most = dx.data == nullptr ? 1 : most_apply_blocks;  // one block a channel when only it is to write
    launch(stream, channel_grid("batch_norm_backward", rows, channels, width, apply_rows, most),
           gradient_kernel<width.value, T, Statistics>, activation, before, statistics, gamma.data, beta.data, sums,
           parts, row_count, channel_count, dy.data, x, added.data, added_channels, dx.data, dgamma.data, dbeta.data);
  };
  // A power of two divides all of these when it divides their bits together.
  with_width<T>(reference || !in_packs(x), channels | added_channels, run, dy.data, added.data, dx.data);
}

}  // namespace

template <class T>
void batch_norm_training_backward(Activation activation, Activation before, View<const T> dy, Pieces<const T> x,
                                  View<const float> mean, View<const float> inverse_std, View<const float> gamma,
                                  View<const float> beta, View<const T> added, View<T> dx, View<float> dgamma,
                                  View<float> dbeta, std::byte* workspace, Stream stream, bool reference) {
  backward(activation, before, dy, x, BatchStatistics{mean.data, inverse_std.data}, gamma, beta, added, dx, dgamma,
           dbeta, workspace, stream, reference);
}

template <class T>
void batch_norm_inference_backward(const BatchNormParams& params, Activation activation, Activation before,
                                   View<const T> dy, Pieces<const T> x, View<const float> gamma, View<const float> beta,
                                   View<const float> running_mean, View<const float> running_var, View<const T> added,
                                   View<T> dx, View<float> dgamma, View<float> dbeta, std::byte* workspace,
                                   Stream stream, bool reference) {
  backward(activation, before, dy, x,
           RunningStatistics{running_mean.data, running_var.data, static_cast<float>(params.epsilon)}, gamma, beta,
           added, dx, dgamma, dbeta, workspace, stream, reference);
}

#define FER_INSTANTIATE(T)                                                                                             \
  template void batch_norm_training_backward(                                                                          \
      Activation, Activation, View<const T>, Pieces<const T>, View<const float>, View<const float>, View<const float>, \
      View<const float>, View<const T>, View<T>, View<float>, View<float>, std::byte*, Stream, bool);                  \
  template void batch_norm_inference_backward(const BatchNormParams&, Activation, Activation, View<const T>,           \
                                              Pieces<const T>, View<const float>, View<const float>,                   \
                                              View<const float>, View<const float>, View<const T>, View<T>,            \
                                              View<float>, View<float>, std::byte*, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
