#include "kernels/cuda/channels.h"
#include "kernels/cuda/scale_channels.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

// s belongs to the image that a row (a pixel) is of.
template <int width, class T>
__global__ void scale_kernel(int rows, int pixels, int channels, const T* x, const T* s, T* y) {
  const int row = first_row(), channel = first_channel(width);
  if (row >= rows || channel >= channels) {
    return;
  }
  const int64_t at = static_cast<int64_t>(row) * channels + channel;
  float value[width], factor[width];
  load(x + at, value);
  load(s + static_cast<int64_t>(row / pixels) * channels + channel, factor);
#pragma unroll
  for (int i = 0; i < width; ++i) {
    value[i] *= factor[i];
  }
  store(y + at, value);
}

// Image blockIdx.x.
template <int width, class T>
__global__ void __launch_bounds__(channel_threads)
    backward_kernel(int pixels, int channels, const T* dy, const T* x, const T* s, T* dx, T* ds) {
  FER_SHARED(float, shared, [width * channel_threads]);
  const int channel = first_channel(width);
  const int64_t image = blockIdx.x;
  float own[width] = {}, factor[width] = {};
  if (channel < channels) {
    load(s + image * channels + channel, factor);
  }
  for (int pixel = static_cast<int>(threadIdx.y); channel < channels && pixel < pixels;
       pixel += static_cast<int>(blockDim.y)) {
    const int64_t at = (image * pixels + pixel) * channels + channel;
    float slope[width], value[width];
    load(dy + at, slope);
    load(x + at, value);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      own[i] += slope[i] * value[i];
      slope[i] *= factor[i];
    }
    if (dx != nullptr) {
      store(dx + at, slope);
    }
  }
  sum_over_rows(own, shared);
  if (threadIdx.y == 0 && channel < channels) {
    store(ds + image * channels + channel, own);
  }
}

}  // namespace

template <class T>
void scale_channels_forward(View<const T> x, View<const T> s, View<T> y, Stream stream, bool reference) {
  const int64_t pixels = x[1] * x[2], channels = x[3], rows = x[0] * pixels;
  const auto run = [&](auto width) {
    launch(stream, channel_grid("scale_channels", rows, channels, width), scale_kernel<width.value, T>,
           static_cast<int>(rows), static_cast<int>(pixels), static_cast<int>(channels), x.data, s.data, y.data);
  };
  with_width<T>(reference, channels, run, x.data, s.data, y.data);
}

template <class T>
void scale_channels_backward(View<const T> dy, View<const T> x, View<const T> s, View<T> dx, View<T> ds, Stream stream,
                             bool reference) {
  if (ds.data == nullptr) {
    scale_channels_forward(dy, s, dx, stream, reference);
    return;
  }
  const int64_t pixels = x[1] * x[2], channels = x[3];
  const auto run = [&](auto width) {
    launch(stream, image_grid("scale_channels_backward", x[0], channels, width), backward_kernel<width.value, T>,
           static_cast<int>(pixels), static_cast<int>(channels), dy.data, x.data, s.data, dx.data, ds.data);
  };
  with_width<T>(reference, channels, run, dy.data, x.data, s.data, dx.data, ds.data);
}

#define FER_INSTANTIATE(T)                                                                   \
  template void scale_channels_forward(View<const T>, View<const T>, View<T>, Stream, bool); \
  template void scale_channels_backward(View<const T>, View<const T>, View<const T>, View<T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
