#include "kernels/cuda/resampled_sizes.h"
#include "kernels/cuda/resize.h"
#include "kernels/resize_tap.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <int width, class T>
__global__ void forward_kernel(ResampledSizes s, const T* x, T* y) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= s.images * s.out_height * s.out_width || channel >= s.channels) {
    return;
  }
  const ResizeTap<float> v(pixel / s.out_width % s.out_height, resize_step(s.height, s.out_height), s.height);
  const ResizeTap<float> u(pixel % s.out_width, resize_step(s.width, s.out_width), s.width);
  const int64_t image = pixel / (s.out_height * s.out_width);
  const auto corner = [&](int64_t row, int64_t column, float(&to)[width]) {
    load(x + ((image * s.height + row) * s.width + column) * s.channels + channel, to);
  };
  float nw[width], ne[width], sw[width], se[width];
  corner(v.low, u.low, nw);
  corner(v.low, u.high, ne);
  corner(v.high, u.low, sw);
  corner(v.high, u.high, se);
#pragma unroll
  for (int c = 0; c < width; ++c) {
    nw[c] = v.low_share * (u.low_share * nw[c] + u.high_share * ne[c]) +
            v.high_share * (u.low_share * sw[c] + u.high_share * se[c]);
  }
  store(y + static_cast<int64_t>(pixel) * s.channels + channel, nw);
}

// Output positions along one axis that may read input position `at`: [first, last].
struct Readers {
  __device__ Readers(int at, int input, int output) : step(resize_step(input, output)) {
    const double margin = 1e-6;  // more than the rounding of positions; each reader is asked again
    first = at == 0 ? 0 : max(0, static_cast<int>(floor((at - 0.5 - margin) / step - 0.5)));
    last = at == input - 1 ? output - 1 : min(output - 1, static_cast<int>(ceil((at + 1.5 + margin) / step - 0.5)));
  }
  // The share of input position `at` in output position `out`.
  __device__ float share(int out, int at, int input) const {
    const ResizeTap<float> tap(out, step, input);
    return (tap.low == at ? tap.low_share : 0.0F) + (tap.high == at ? tap.high_share : 0.0F);
  }

  double step;
  int first, last;
};

template <int width, class T>
__global__ void backward_kernel(ResampledSizes s, const T* dy, T* dx) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= s.images * s.height * s.width || channel >= s.channels) {
    return;
  }
  const int row = pixel / s.width % s.height, column = pixel % s.width;
  const int64_t image = pixel / (s.height * s.width);
  const Readers rows(row, s.height, s.out_height), columns(column, s.width, s.out_width);
  float sum[width] = {};
  for (int i = rows.first; i <= rows.last; ++i) {
    const float row_share = rows.share(i, row, s.height);
    for (int j = columns.first; row_share != 0 && j <= columns.last; ++j) {
      const float share = row_share * columns.share(j, column, s.width);
      float slope[width];
      load(dy + ((image * s.out_height + i) * s.out_width + j) * s.channels + channel, slope);
#pragma unroll
      for (int c = 0; c < width; ++c) {
        sum[c] += share == 0 ? 0.0F : share * slope[c];
      }
    }
  }
  store(dx + static_cast<int64_t>(pixel) * s.channels + channel, sum);
}

}  // namespace

template <class T>
void resize_bilinear_forward(View<const T> x, View<T> y, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("resize_bilinear", y[0] * y[1] * y[2], y[3], width), forward_kernel<width.value, T>,
           resampled_sizes(x, y), x.data, y.data);
  };
  with_width<T>(reference, x[3], run, x.data, y.data);
}

template <class T>
void resize_bilinear_backward(View<const T> dy, View<T> dx, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("resize_bilinear_backward", dx[0] * dx[1] * dx[2], dx[3], width),
           backward_kernel<width.value, T>, resampled_sizes(dx, dy), dy.data, dx.data);
  };
  with_width<T>(reference, dx[3], run, dy.data, dx.data);
}

#define FER_INSTANTIATE(T)                                                     \
  template void resize_bilinear_forward(View<const T>, View<T>, Stream, bool); \
  template void resize_bilinear_backward(View<const T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
