#include "kernels/cuda/activate.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/moments.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// What the second kernel of training is given for every channel.
struct TrainingChannels {
  float epsilon, momentum;
  const float *gamma, *beta;
  float *running_mean, *running_var, *mean, *inverse_std;  // the last two may be null
};

namespace {

constexpr int64_t apply_rows = 4;  // of one thread, when there are enough blocks
constexpr int64_t most_apply_blocks = 1024;

template <int width, class T>
__global__ void __launch_bounds__(channel_threads)
    statistics_kernel(int rows, int channels, Pieces<const T> x, PartMoments parts) {
  FER_SHARED(float, shared, [(1 + 2 * width) * channel_threads]);
  const int channel = first_channel(width);
  RunningMoments<width> own;
  if (channel < channels) {
    const Column<T> column(x, channel);
    for (int row = first_row(); row < rows; row += row_step()) {
      float value[width];
      load(column.row(row), value);
      own.add(value);
    }
  }
  write_part(own, channels, parts, shared);
}

// Channel c's mean and gamma / std from all parts; `writes` for the one block that keeps the statistics.
__device__ void merge_parts(const TrainingChannels& given, const PartMoments& parts, int part_count, int channels,
                            int c, bool writes, float& centre, float& scale) {
  double count = 0, mean = 0, squares = 0;
  for (int part = 0; part < part_count; ++part) {
    const int64_t at = static_cast<int64_t>(part) * channels + c;
    merge_moments<double>(count, mean, squares, parts.count[part], parts.mean[at], parts.squares[at]);
  }
  const double inverse = 1 / sqrt(squares / count + given.epsilon);
  centre = static_cast<float>(mean);
  scale = static_cast<float>(inverse) * given.gamma[c];
  if (!writes) {
    return;
  }
  const double keep = 1 - static_cast<double>(given.momentum), unbiased = squares / (count - 1);
  given.running_mean[c] = static_cast<float>(keep * given.running_mean[c] + given.momentum * mean);
  given.running_var[c] = static_cast<float>(keep * given.running_var[c] + given.momentum * unbiased);
  if (given.mean != nullptr) {
    given.mean[c] = centre;
  }
  if (given.inverse_std != nullptr) {
    given.inverse_std[c] = static_cast<float>(inverse);
  }
}

// y = f((x - centre) scale + shift + residual) for the thread's rows of its `width` channels.
template <int width, class T>
__device__ void normalise_rows(Activation activation, int rows, int channels, int channel, const float (&centre)[width],
                               const float (&scale)[width], const float (&shift)[width], const Pieces<const T>& x,
                               const T* residual, T* y) {
  const Column<T> column(x, channel);
  for (int row = first_row(); row < rows; row += row_step()) {
    const int64_t at = static_cast<int64_t>(row) * channels + channel;
    float value[width], other[width] = {};
    load(column.row(row), value);
    if (residual != nullptr) {
      load(residual + at, other);
    }
#pragma unroll
    for (int i = 0; i < width; ++i) {
      value[i] = activated(activation, (value[i] - centre[i]) * scale[i] + shift[i] + other[i]);
    }
    store(y + at, value);
  }
}

template <int width, class T>
__global__ void __launch_bounds__(channel_threads)
    training_kernel(TrainingChannels given, PartMoments parts, int part_count, Activation activation, int rows,
                    int channels, Pieces<const T> x, const T* residual, T* y) {
  FER_SHARED(float, centres, [most_channels]);
  FER_SHARED(float, scales, [most_channels]);
  const int block_channels = min(static_cast<int>(blockDim.x) * width, channels - block_channel(width));
  for (int c = thread_number(); c < block_channels; c += channel_threads) {
    merge_parts(given, parts, part_count, channels, block_channel(width) + c, blockIdx.x == 0, centres[c], scales[c]);
  }
  __syncthreads();
  const int channel = first_channel(width);
  if (channel >= channels || y == nullptr) {
    return;
  }
  float centre[width], scale[width], shift[width];
#pragma unroll
  for (int i = 0; i < width; ++i) {
    centre[i] = centres[threadIdx.x * width + i];
    scale[i] = scales[threadIdx.x * width + i];
    shift[i] = given.beta[channel + i];
  }
  normalise_rows(activation, rows, channels, channel, centre, scale, shift, x, residual, y);
}

// A channel's scale from what is kept of its spread.
struct Inference {
  float epsilon;
  __device__ float operator()(float gamma, float var) const { return gamma / sqrtf(var + epsilon); }
};
struct Again {
  __device__ float operator()(float gamma, float inverse_std) const { return inverse_std * gamma; }
};

template <int width, class T, class Scale>
__global__ void __launch_bounds__(channel_threads)
    normalise_kernel(Scale scale_of, const float* gamma, const float* beta, const float* mean, const float* spread,
                     Activation activation, int rows, int channels, Pieces<const T> x, const T* residual, T* y) {
  const int channel = first_channel(width);
  if (channel >= channels) {
    return;
  }
  float centre[width], scale[width], shift[width];
#pragma unroll
  for (int i = 0; i < width; ++i) {
    centre[i] = mean[channel + i];
    scale[i] = scale_of(gamma[channel + i], spread[channel + i]);
    shift[i] = beta[channel + i];
  }
  normalise_rows(activation, rows, channels, channel, centre, scale, shift, x, residual, y);
}

template <class T, class Scale>
void normalise(const char* name, Scale scale, Activation activation, Pieces<const T> x, View<const float> gamma,
               View<const float> beta, View<const T> residual, View<const float> mean, View<const float> spread,
               View<T> y, Stream stream, bool reference) {
  const int64_t channels = gamma.size(), rows = x.rows;
  const auto run = [&](auto width) {
    launch(stream, channel_grid(name, rows, channels, width, apply_rows), normalise_kernel<width.value, T, Scale>,
           scale, gamma.data, beta.data, mean.data, spread.data, activation, static_cast<int>(rows),
           static_cast<int>(channels), x, residual.data, y.data);
  };
  with_width<T>(reference || !in_packs(x), channels, run, residual.data, y.data);
}

}  // namespace

int64_t batch_norm_workspace_bytes(int64_t channels) { return part_moments_bytes(channels); }

template <class T>
void batch_norm_training(const BatchNormParams& params, Activation activation, Pieces<const T> x,
                         View<const float> gamma, View<const float> beta, View<const T> residual,
                         View<float> running_mean, View<float> running_var, View<T> y, View<float> mean,
                         View<float> inverse_std, std::byte* workspace, Stream stream, int parts, bool reference) {
  const int64_t channels = gamma.size(), rows = x.rows;
  const int row_count = static_cast<int>(rows), channel_count = static_cast<int>(channels);
  const PartMoments moments = part_moments(workspace, channels);
  const TrainingChannels given{static_cast<float>(params.epsilon),
                               static_cast<float>(params.momentum),
                               gamma.data,
                               beta.data,
                               running_mean.data,
                               running_var.data,
                               mean.data,
                               inverse_std.data};
  const auto run = [&](auto width) {
    if (parts == 0) {
      const Grid grid = part_grid("batch_norm_statistics", rows, channels, width);
      parts = static_cast<int>(grid.blocks.x);
      launch(stream, grid, statistics_kernel<width.value, T>, row_count, channel_count, x, moments);
    }
    launch(stream, channel_grid("batch_norm_training", rows, channels, width, apply_rows, most_apply_blocks),
           training_kernel<width.value, T>, given, moments, parts, activation, row_count, channel_count, x,
           residual.data, y.data);
  };
  with_width<T>(reference || !in_packs(x), channels, run, residual.data, y.data);
}

template <class T>
void batch_norm_inference(const BatchNormParams& params, Activation activation, Pieces<const T> x,
                          View<const float> gamma, View<const float> beta, View<const T> residual,
                          View<const float> running_mean, View<const float> running_var, View<T> y, Stream stream,
                          bool reference) {
  normalise("batch_norm_inference", Inference{static_cast<float>(params.epsilon)}, activation, x, gamma, beta, residual,
            running_mean, running_var, y, stream, reference);
}

template <class T>
void batch_norm_again(Activation activation, Pieces<const T> x, View<const float> gamma, View<const float> beta,
                      View<const T> residual, View<const float> mean, View<const float> inverse_std, View<T> y,
                      Stream stream, bool reference) {
  normalise("batch_norm_again", Again{}, activation, x, gamma, beta, residual, mean, inverse_std, y, stream, reference);
}

#define FER_INSTANTIATE(T)                                                                                            \
  template void batch_norm_training(const BatchNormParams&, Activation, Pieces<const T>, View<const float>,           \
                                    View<const float>, View<const T>, View<float>, View<float>, View<T>, View<float>, \
                                    View<float>, std::byte*, Stream, int, bool);                                      \
  template void batch_norm_inference(const BatchNormParams&, Activation, Pieces<const T>, View<const float>,          \
                                     View<const float>, View<const T>, View<const float>, View<const float>, View<T>, \
                                     Stream, bool);                                                                   \
  template void batch_norm_again(Activation, Pieces<const T>, View<const float>, View<const float>, View<const T>,    \
                                 View<const float>, View<const float>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
