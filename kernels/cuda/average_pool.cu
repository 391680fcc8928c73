#include "kernels/cuda/pool.h"
#include "kernels/cuda/pool_shape.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <int width, class T>
__global__ void average_kernel(PoolShape shape, const T* x, T* y) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= shape.out_rows() || channel >= shape.channels) {
    return;
  }
  const int image = pixel / (shape.out_height * shape.out_width);
  const int top = pixel / shape.out_width % shape.out_height * shape.stride;
  const int left = pixel % shape.out_width * shape.stride;
  float sum[width] = {};
  for (int i = 0; i < shape.kernel; ++i) {
    for (int j = 0; j < shape.kernel; ++j) {
      const int64_t from = (static_cast<int64_t>(image) * shape.height + top + i) * shape.width + left + j;
      float value[width];
      load(x + from * shape.channels + channel, value);
#pragma unroll
      for (int c = 0; c < width; ++c) {
        sum[c] += value[c];
      }
    }
  }
  const float share = 1 / static_cast<float>(shape.kernel * shape.kernel);
#pragma unroll
  for (int c = 0; c < width; ++c) {
    sum[c] *= share;
  }
  store(y + static_cast<int64_t>(pixel) * shape.channels + channel, sum);
}

template <int width, class T>
__global__ void average_backward_kernel(PoolShape shape, const T* dy, T* dx) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= shape.in_rows() || channel >= shape.channels) {
    return;
  }
  const float share = 1 / static_cast<float>(shape.kernel * shape.kernel);
  float sum[width] = {};
  for_windows_over(shape, pixel, [&](int out, int) {
    float slope[width];
    load(dy + static_cast<int64_t>(out) * shape.channels + channel, slope);
#pragma unroll
    for (int c = 0; c < width; ++c) {
      sum[c] += slope[c] * share;
    }
  });
  store(dx + static_cast<int64_t>(pixel) * shape.channels + channel, sum);
}

// Image blockIdx.x.
template <int width, class T>
__global__ void __launch_bounds__(channel_threads) global_kernel(int pixels, int channels, const T* x, T* y) {
  FER_SHARED(float, shared, [width * channel_threads]);
  const int channel = first_channel(width);
  float own[width] = {};
  for (int pixel = static_cast<int>(threadIdx.y); channel < channels && pixel < pixels;
       pixel += static_cast<int>(blockDim.y)) {
    float value[width];
    load(x + (static_cast<int64_t>(blockIdx.x) * pixels + pixel) * channels + channel, value);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      own[i] += value[i];
    }
  }
  sum_over_rows(own, shared);
  if (threadIdx.y == 0 && channel < channels) {
#pragma unroll
    for (int i = 0; i < width; ++i) {
      own[i] /= static_cast<float>(pixels);
    }
    store(y + static_cast<int64_t>(blockIdx.x) * channels + channel, own);
  }
}

template <int width, class T>
__global__ void global_backward_kernel(int rows, int pixels, int channels, const T* dy, T* dx) {
  const int row = first_row(), channel = first_channel(width);
  if (row >= rows || channel >= channels) {
    return;
  }
  float slope[width];
  load(dy + static_cast<int64_t>(row / pixels) * channels + channel, slope);
#pragma unroll
  for (int i = 0; i < width; ++i) {
    slope[i] *= 1 / static_cast<float>(pixels);
  }
  store(dx + static_cast<int64_t>(row) * channels + channel, slope);
}

}  // namespace

template <class T>
void average_pool_forward(const PoolParams& params, View<const T> x, View<T> y, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("average_pool", y[0] * y[1] * y[2], y[3], width), average_kernel<width.value, T>,
           pool_shape(params, x, y), x.data, y.data);
  };
  with_width<T>(reference, x[3], run, x.data, y.data);
}

template <class T>
void average_pool_backward(const PoolParams& params, View<const T> dy, View<T> dx, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("average_pool_backward", dx[0] * dx[1] * dx[2], dx[3], width),
           average_backward_kernel<width.value, T>, pool_shape(params, dx, dy), dy.data, dx.data);
  };
  with_width<T>(reference, dx[3], run, dy.data, dx.data);
}

template <class T>
void global_average_pool_forward(View<const T> x, View<T> y, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, image_grid("global_average_pool", x[0], x[3], width), global_kernel<width.value, T>,
           static_cast<int>(x[1] * x[2]), static_cast<int>(x[3]), x.data, y.data);
  };
  with_width<T>(reference, x[3], run, x.data, y.data);
}

template <class T>
void global_average_pool_backward(View<const T> dy, View<T> dx, Stream stream, bool reference) {
  const int64_t pixels = dx[1] * dx[2], rows = dx[0] * pixels;
  const auto run = [&](auto width) {
    launch(stream, channel_grid("global_average_pool_backward", rows, dx[3], width),
           global_backward_kernel<width.value, T>, static_cast<int>(rows), static_cast<int>(pixels),
           static_cast<int>(dx[3]), dy.data, dx.data);
  };
  with_width<T>(reference, dx[3], run, dy.data, dx.data);
}

#define FER_INSTANTIATE(T)                                                                      \
  template void average_pool_forward(const PoolParams&, View<const T>, View<T>, Stream, bool);  \
  template void average_pool_backward(const PoolParams&, View<const T>, View<T>, Stream, bool); \
  template void global_average_pool_forward(View<const T>, View<T>, Stream, bool);              \
  template void global_average_pool_backward(View<const T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
