#include "kernels/cuda/channel_sum.h"
#include "kernels/cuda/channels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

// sums[part][c] = the sum of x[row][c] over the rows of part blockIdx.x.
template <int width, class T>
__global__ void __launch_bounds__(channel_threads) channel_sum_kernel(int rows, int channels, const T* x, float* sums) {
  FER_SHARED(float, shared, [width * channel_threads]);
  const int channel = first_channel(width);
  float own[width] = {};
  for (int row = first_row(); channel < channels && row < rows; row += row_step()) {
    float value[width];
    load(x + static_cast<int64_t>(row) * channels + channel, value);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      own[i] += value[i];
    }
  }
  sum_over_rows(own, shared);
  if (threadIdx.y == 0 && channel < channels) {
    store(sums + static_cast<int64_t>(blockIdx.x) * channels + channel, own);
  }
}

}  // namespace

int64_t channel_sum_workspace(int64_t channels) { return most_parts * channels * static_cast<int64_t>(sizeof(float)); }

template <class T>
void channel_sum(View<const T> x, View<float> y, std::byte* workspace, Stream stream, bool reference) {
  const int64_t channels = y.size(), rows = x.size() / channels;
  float* const sums = reinterpret_cast<float*>(workspace);
  const auto run = [&](auto width) {
    const Grid grid = part_grid("channel_sum", rows, channels, width);
    launch(stream, grid, channel_sum_kernel<width.value, T>, static_cast<int>(rows), static_cast<int>(channels), x.data,
           sums);
    sum_parts("channel_sum_of_parts", static_cast<int>(grid.blocks.x), channels, sums, y.data, stream);
  };
  with_width<T>(reference, channels, run, x.data);
}

#define FER_INSTANTIATE(T) template void channel_sum(View<const T>, View<float>, std::byte*, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
