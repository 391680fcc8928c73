#include "kernels/cuda/depthwise.h"
#include "kernels/cuda/depthwise_shape.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int strip = depthwise_strip;

// Channels of one thread: what leaves room for a sum for each tap.
template <int kernel>
constexpr int weight_width = kernel == 3 ? 4 : 2;

// sums[part] [taps,C]. Each thread keeps the sums of all taps of `width` channels over its strips of output pixels.
template <class T, int kernel, int stride, int width>
__global__ void __launch_bounds__(channel_threads)
    weight_kernel(DepthwiseShape shape, const T* x, const T* dy, float* sums) {
  FER_SHARED(float, shared, [kernel * width * channel_threads]);
  const int channel = first_channel(width);
  const int strips_per_row = blocks_for(shape.out_width, strip);
  const int strips = shape.images * shape.out_height * strips_per_row;
  float own[kernel][kernel * width] = {};
  for (int at = first_row(); channel < shape.channels && at < strips; at += row_step()) {
    const int first_column = at % strips_per_row * strip;
    const int out_row = at / strips_per_row;  // of all images
    float slope[strip][width];
#pragma unroll
    for (int i = 0; i < strip; ++i) {
      if (first_column + i < shape.out_width) {
        const int64_t pixel = static_cast<int64_t>(out_row) * shape.out_width + first_column + i;
        load(dy + pixel * shape.channels + channel, slope[i]);
      } else {
#pragma unroll
        for (int c = 0; c < width; ++c) {
          slope[i][c] = 0;
        }
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
#pragma unroll
            for (int c = 0; c < width; ++c) {
              own[kh][kw * width + c] += value[c] * slope[i][c];
            }
          }
        }
      }
    }
  }
#pragma unroll
  for (int kh = 0; kh < kernel; ++kh) {
    sum_over_rows(own[kh], shared);
    if (threadIdx.y == 0 && channel < shape.channels) {
#pragma unroll
      for (int i = 0; i < kernel * width; ++i) {
        const int64_t tap = (static_cast<int64_t>(blockIdx.x) * kernel + kh) * kernel + i / width;
        sums[tap * shape.channels + channel + i % width] = own[kh][i];
      }
    }
  }
}

}  // namespace

int64_t depthwise_weight_workspace(int64_t weights) {
  return most_parts * weights * static_cast<int64_t>(sizeof(float));
}

template <class T>
void depthwise_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<float> dw,
                               std::byte* workspace, Stream stream, bool reference) {
  const DepthwiseShape shape = depthwise_shape(params, x, dw, dy);
  float* const sums = reinterpret_cast<float*>(workspace);
  const auto run = [&](auto kernel, auto stride) {
    const auto run_wide = [&](auto width) {
      const int64_t strips = dy[0] * dy[1] * blocks_for<int64_t>(dy[2], strip);
      const Grid grid = part_grid("depthwise_backward_weight", strips, shape.channels, width);
      launch(stream, grid, weight_kernel<T, kernel.value, stride.value, width.value>, shape, x.data, dy.data, sums);
      sum_parts("depthwise_backward_weight_sum", static_cast<int>(grid.blocks.x), dw.size(), sums, dw.data, stream);
    };
    with_pack<weight_width<kernel.value>>(false, shape.channels, run_wide, x.data, dy.data);
  };
  if (reference || !with_depthwise_kernel(shape, run)) {
    depthwise_backward_weight_plain(params, x, dy, dw, stream);
  }
}

template void depthwise_backward_weight(const Conv2dParams&, View<const float>, View<const float>, View<float>,
                                        std::byte*, Stream, bool);
template void depthwise_backward_weight(const Conv2dParams&, View<const bf16>, View<const bf16>, View<float>,
                                        std::byte*, Stream, bool);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
