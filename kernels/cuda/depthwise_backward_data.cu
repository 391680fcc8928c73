#include "kernels/cuda/depthwise.h"
#include "kernels/cuda/depthwise_shape.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int strip = depthwise_strip;

// Each thread: `strip` pixels of one row of dx, of `width` channels. Strips begin `left` columns before the image: in
// such padded columns an output pixel lies at a multiple of the stride, so that which taps meet is known beforehand.
template <class T, int kernel, int stride, int width>
__global__ void __launch_bounds__(channel_threads)
    data_kernel(DepthwiseShape shape, const float* w, const T* dy, T* dx) {
  FER_SHARED(float, weights, [kernel * kernel * depthwise_channels]);
  load_weights<kernel * kernel, width>(w, shape.channels, weights);

  const int channel = first_channel(width), block_channels = static_cast<int>(blockDim.x) * width;
  const int strips_per_row = blocks_for(shape.left + shape.width, strip);
  const int strips = shape.images * shape.height * strips_per_row;
  for (int at = first_row(); channel < shape.channels && at < strips; at += row_step()) {
    const int padded_column = at % strips_per_row * strip;
    const int in_row = at / strips_per_row;  // of all images
    float sums[strip][width] = {};
#pragma unroll
    for (int kh = 0; kh < kernel; ++kh) {
      const int padded_row = in_row % shape.height + shape.top - kh;
      if (padded_row < 0 || padded_row % stride != 0 || padded_row / stride >= shape.out_height) {
        continue;
      }
      const int64_t out_row = static_cast<int64_t>(in_row / shape.height) * shape.out_height + padded_row / stride;
#pragma unroll
      for (int m = -((kernel - 1) / stride); m <= (strip - 1) / stride; ++m) {
        const int column = padded_column / stride + m;
        if (column < 0 || column >= shape.out_width) {
          continue;
        }
        float value[width];
        load(dy + (out_row * shape.out_width + column) * shape.channels + channel, value);
#pragma unroll
        for (int i = 0; i < strip; ++i) {
          const int kw = i - m * stride;
          if (kw >= 0 && kw < kernel) {
            const float* const weight = weights + (kh * kernel + kw) * block_channels + threadIdx.x * width;
#pragma unroll
            for (int c = 0; c < width; ++c) {
              sums[i][c] += value[c] * weight[c];
            }
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < strip; ++i) {
      const int column = padded_column - shape.left + i;
      if (column >= 0 && column < shape.width) {
        store(dx + (static_cast<int64_t>(in_row) * shape.width + column) * shape.channels + channel, sums[i]);
      }
    }
  }
}

}  // namespace

template <class T>
void depthwise_backward_data(const Conv2dParams& params, View<const float> w, View<const T> dy, View<T> dx,
                             Stream stream, bool reference) {
  const DepthwiseShape shape = depthwise_shape(params, dx, w, dy);
  const auto run = [&](auto kernel, auto stride) {
    const auto run_wide = [&](auto width) {
      const int64_t strips = dx[0] * dx[1] * blocks_for<int64_t>(shape.left + dx[2], strip);
      launch(stream, channel_grid("depthwise_backward_data", strips, shape.channels, width, 2),
             data_kernel<T, kernel.value, stride.value, width.value>, shape, w.data, dy.data, dx.data);
    };
    with_pack<depthwise_width>(false, shape.channels, run_wide, dy.data, dx.data);
  };
  if (reference || !with_depthwise_kernel(shape, run)) {
    depthwise_backward_data_plain(params, w, dy, dx, stream);
  }
}

template void depthwise_backward_data(const Conv2dParams&, View<const float>, View<const float>, View<float>, Stream,
                                      bool);
template void depthwise_backward_data(const Conv2dParams&, View<const float>, View<const bf16>, View<bf16>, Stream,
                                      bool);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
