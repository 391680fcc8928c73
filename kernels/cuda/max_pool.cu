#include "kernels/cuda/pool.h"
#include "kernels/cuda/pool_shape.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <int width, class T>
__global__ void max_kernel(PoolShape shape, const T* x, T* y, uint8_t* argmax) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= shape.out_rows() || channel >= shape.channels) {
    return;
  }
  const int image = pixel / (shape.out_height * shape.out_width);
  const int top = pixel / shape.out_width % shape.out_height * shape.stride - shape.top;
  const int left = pixel % shape.out_width * shape.stride - shape.left;
  float best[width] = {};
  Pack<uint8_t, width> place = {};
  bool first = true;
  for (int i = max(0, -top); i < min(shape.kernel, shape.height - top); ++i) {
    for (int j = max(0, -left); j < min(shape.kernel, shape.width - left); ++j) {
      const int64_t from = (static_cast<int64_t>(image) * shape.height + top + i) * shape.width + left + j;
      float value[width];
      load(x + from * shape.channels + channel, value);
#pragma unroll
      for (int c = 0; c < width; ++c) {
        if (first || value[c] > best[c] || value[c] != value[c]) {  // NaN counts as the largest
          best[c] = value[c];
          place.at[c] = static_cast<uint8_t>(i * shape.kernel + j);
        }
      }
      first = false;
    }
  }
  const int64_t to = static_cast<int64_t>(pixel) * shape.channels + channel;
  store(y + to, best);
  if (argmax != nullptr) {
    *reinterpret_cast<Pack<uint8_t, width>*>(argmax + to) = place;
  }
}

template <int width, class T>
__global__ void max_backward_kernel(PoolShape shape, const uint8_t* argmax, const T* dy, T* dx) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= shape.in_rows() || channel >= shape.channels) {
    return;
  }
  float sum[width] = {};
  for_windows_over(shape, pixel, [&](int out, int place) {
    const int64_t at = static_cast<int64_t>(out) * shape.channels + channel;
    const Pack<uint8_t, width> chosen = *reinterpret_cast<const Pack<uint8_t, width>*>(argmax + at);
    float slope[width];
    load(dy + at, slope);
#pragma unroll
    for (int c = 0; c < width; ++c) {
      sum[c] += chosen.at[c] == place ? slope[c] : 0.0F;
    }
  });
  store(dx + static_cast<int64_t>(pixel) * shape.channels + channel, sum);
}

}  // namespace

template <class T>
void max_pool_forward(const PoolParams& params, View<const T> x, View<T> y, View<uint8_t> argmax, Stream stream,
                      bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("max_pool", y[0] * y[1] * y[2], y[3], width), max_kernel<width.value, T>,
           pool_shape(params, x, y), x.data, y.data, argmax.data);
  };
  with_width<T>(reference, x[3], run, x.data, y.data, argmax.data);
}

template <class T>
void max_pool_backward(const PoolParams& params, View<const uint8_t> argmax, View<const T> dy, View<T> dx,
                       Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("max_pool_backward", dx[0] * dx[1] * dx[2], dx[3], width),
           max_backward_kernel<width.value, T>, pool_shape(params, dx, dy), argmax.data, dy.data, dx.data);
  };
  with_width<T>(reference, dx[3], run, argmax.data, dy.data, dx.data);
}

#define FER_INSTANTIATE(T)                                                                                \
  template void max_pool_forward(const PoolParams&, View<const T>, View<T>, View<uint8_t>, Stream, bool); \
  template void max_pool_backward(const PoolParams&, View<const uint8_t>, View<const T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
