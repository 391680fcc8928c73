#include "kernels/cuda/channels.h"
#include "kernels/cuda/concat.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <int width, class T>
__global__ void copy_kernel(int rows, int count, int x_channels, const T* x, int y_channels, T* y) {
  const int row = first_row(), channel = first_channel(width);
  if (row < rows && channel < count) {
    *reinterpret_cast<Pack<T, width>*>(y + static_cast<int64_t>(row) * y_channels + channel) =
        *reinterpret_cast<const Pack<T, width>*>(x + static_cast<int64_t>(row) * x_channels + channel);
  }
}

}  // namespace

template <class T>
void copy_channels(View<const T> x, int64_t from, View<T> y, int64_t to, int64_t count, Stream stream, bool reference) {
  const int64_t x_channels = x[-1], y_channels = y[-1], rows = x.size() / x_channels;
  const auto run = [&](auto width) {
    launch(stream, channel_grid("copy_channels", rows, count, width), copy_kernel<width.value, T>,
           static_cast<int>(rows), static_cast<int>(count), static_cast<int>(x_channels), x.data + from,
           static_cast<int>(y_channels), y.data + to);
  };
  // A power of two divides all of these when it divides their bits together.
  with_width<T>(reference, from | to | count | x_channels | y_channels, run, x.data, y.data);
}

#define FER_INSTANTIATE(T) template void copy_channels(View<const T>, int64_t, View<T>, int64_t, int64_t, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
