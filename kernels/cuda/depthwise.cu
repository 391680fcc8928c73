#include "kernels/cuda/depthwise.h"
#include "kernels/cuda/depthwise_shape.h"
#include "kernels/cuda/moments.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int strip = depthwise_strip;

// Each thread: `strip` outputs of one row, of `width` channels. An input pixel is read once for all outputs it is in.
template <class T, int kernel, int stride, int width>
__global__ void __launch_bounds__(channel_threads)
    forward_kernel(DepthwiseShape shape, const T* x, const float* w, const float* b, T* y, PartMoments parts) {
  FER_SHARED(float, weights, [kernel * kernel * depthwise_channels]);
  FER_SHARED(float, shared, [(1 + 2 * width) * channel_threads]);
  load_weights<kernel * kernel, width>(w, shape.channels, weights);

  const int channel = first_channel(width), block_channels = static_cast<int>(blockDim.x) * width;
  const int strips_per_row = blocks_for(shape.out_width, strip);
  const int strips = shape.images * shape.out_height * strips_per_row;
  RunningMoments<width> moments;
  for (int at = first_row(); channel < shape.channels && at < strips; at += row_step()) {
    const int first_column = at % strips_per_row * strip;
    const int out_row = at / strips_per_row;  // of all images
    float sums[strip][width];
#pragma unroll
    for (int i = 0; i < strip; ++i) {
#pragma unroll
      for (int c = 0; c < width; ++c) {
        sums[i][c] = b == nullptr ? 0 : b[channel + c];
      }
    }
#pragma unroll
    for (int kh = 0; kh < kernel; ++kh) {
      const int row = out_row % shape.out_height * stride - shape.top + kh;
      if (row < 0 || row >= shape.height) {
        continue;
      }
      const int64_t image_row = static_cast<int64_t>(out_row / shape.out_height) * shape.height + row;
#pragma unroll
      for (int j = 0; j < (strip - 1) * stride + kernel; ++j) {
        const int column = first_column * stride - shape.left + j;
        if (column < 0 || column >= shape.width) {
          continue;
        }
        float value[width];
        load(x + (image_row * shape.width + column) * shape.channels + channel, value);
#pragma unroll
        for (int i = 0; i < strip; ++i) {
          const int kw = j - i * stride;
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
      if (first_column + i < shape.out_width) {
        const int64_t pixel = static_cast<int64_t>(out_row) * shape.out_width + first_column + i;
        store(y + pixel * shape.channels + channel, sums[i]);
        if (parts.count != nullptr) {
#pragma unroll
          for (int c = 0; c < width; ++c) {
            sums[i][c] = rounded<T>(sums[i][c]);  // what is normalised is y as stored
          }
          moments.add(sums[i]);
        }
      }
    }
  }
  if (parts.count != nullptr) {
    write_part(moments, shape.channels, parts, shared);
  }
}

}  // namespace

template <class T>
int depthwise_forward(const Conv2dParams& params, View<const T> x, View<const float> w, View<const float> b, View<T> y,
                      Stream stream, std::byte* statistics, bool reference) {
  const DepthwiseShape shape = depthwise_shape(params, x, w, y);
  int part_count = 0;
  const auto run = [&](auto kernel, auto stride) {
    const auto run_wide = [&](auto width) {
      const int64_t strips = y[0] * y[1] * blocks_for<int64_t>(y[2], strip);
      const Grid grid = statistics == nullptr ? channel_grid("depthwise", strips, shape.channels, width, 2)
                                              : part_grid("depthwise_statistics", strips, shape.channels, width);
      const PartMoments parts = statistics == nullptr ? PartMoments{} : part_moments(statistics, shape.channels);
      part_count = statistics == nullptr ? 0 : static_cast<int>(grid.blocks.x);
      launch(stream, grid, forward_kernel<T, kernel.value, stride.value, width.value>, shape, x.data, w.data, b.data,
             y.data, parts);
    };
    with_pack<depthwise_width>(false, shape.channels, run_wide, x.data, y.data);
  };
  if (reference || !with_depthwise_kernel(shape, run)) {
    depthwise_forward_plain(params, x, w, b, y, stream);
  }
  return part_count;
}

template int depthwise_forward(const Conv2dParams&, View<const float>, View<const float>, View<const float>,
                               View<float>, Stream, std::byte*, bool);
template int depthwise_forward(const Conv2dParams&, View<const bf16>, View<const float>, View<const float>, View<bf16>,
                               Stream, std::byte*, bool);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
