// Depthwise convolution as its definition reads, one result a thread.
#include "kernels/cuda/depthwise.h"
#include "kernels/cuda/depthwise_shape.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 128;

Grid grid_for(const char* name, int64_t results) {
  return {name, dim3(static_cast<unsigned>(blocks_for<int64_t>(results, threads))), dim3(threads)};
}

__device__ __forceinline__ int64_t result_number() { return int64_t{blockIdx.x} * threads + threadIdx.x; }

template <class T>
__global__ void forward_kernel(DepthwiseShape s, const T* x, const float* w, const float* b, T* y) {
  const int64_t result = result_number();
  if (result >= int64_t{s.images} * s.out_height * s.out_width * s.channels) {
    return;
  }
  const int64_t pixel = result / s.channels, image = pixel / s.out_width / s.out_height;
  const int c = static_cast<int>(result % s.channels);
  const int top = static_cast<int>(pixel / s.out_width % s.out_height) * s.stride - s.top;
  const int left = static_cast<int>(pixel % s.out_width) * s.stride - s.left;
  float sum = b == nullptr ? 0 : b[c];
  for (int kh = max(0, -top); kh < min(s.rows, s.height - top); ++kh) {
    for (int kw = max(0, -left); kw < min(s.columns, s.width - left); ++kw) {
      const int64_t from = (image * s.height + top + kh) * s.width + left + kw;
      sum += static_cast<float>(x[from * s.channels + c]) * w[(kh * s.columns + kw) * s.channels + c];
    }
  }
  y[result] = static_cast<T>(sum);
}

template <class T>
__global__ void data_kernel(DepthwiseShape s, const float* w, const T* dy, T* dx) {
  const int64_t result = result_number();
  if (result >= int64_t{s.images} * s.height * s.width * s.channels) {
    return;
  }
  const int64_t pixel = result / s.channels, image = pixel / s.width / s.height;
  const int c = static_cast<int>(result % s.channels);
  const int row = static_cast<int>(pixel / s.width % s.height) + s.top;
  const int column = static_cast<int>(pixel % s.width) + s.left;
  float sum = 0;
  for (int kh = 0; kh < min(s.rows, row + 1); ++kh) {
    for (int kw = 0; kw < min(s.columns, column + 1); ++kw) {
      const int out_row = (row - kh) / s.stride, out_column = (column - kw) / s.stride;
      if (out_row * s.stride == row - kh && out_column * s.stride == column - kw && out_row < s.out_height &&
          out_column < s.out_width) {
        const int64_t from = (image * s.out_height + out_row) * s.out_width + out_column;
        sum += static_cast<float>(dy[from * s.channels + c]) * w[(kh * s.columns + kw) * s.channels + c];
      }
    }
  }
  dx[result] = static_cast<T>(sum);
}

template <class T>
__global__ void weight_kernel(DepthwiseShape s, const T* x, const T* dy, float* dw) {
  const int64_t result = result_number();
  if (result >= int64_t{s.rows} * s.columns * s.channels) {
    return;
  }
  const int c = static_cast<int>(result % s.channels), tap = static_cast<int>(result / s.channels);
  const int kh = tap / s.columns, kw = tap % s.columns;
  double sum = 0;
  for (int64_t pixel = 0; pixel < int64_t{s.images} * s.out_height * s.out_width; ++pixel) {
    const int row = static_cast<int>(pixel / s.out_width % s.out_height) * s.stride - s.top + kh;
    const int column = static_cast<int>(pixel % s.out_width) * s.stride - s.left + kw;
    if (row >= 0 && row < s.height && column >= 0 && column < s.width) {
      const int64_t from = (pixel / s.out_width / s.out_height * s.height + row) * s.width + column;
      sum += static_cast<double>(static_cast<float>(x[from * s.channels + c]) *
                                 static_cast<float>(dy[pixel * s.channels + c]));
    }
  }
  dw[result] = static_cast<float>(sum);
}

}  // namespace

template <class T>
void depthwise_forward_plain(const Conv2dParams& params, View<const T> x, View<const float> w, View<const float> b,
                             View<T> y, Stream stream) {
  launch(stream, grid_for("depthwise_plain", y.size()), forward_kernel<T>, depthwise_shape(params, x, w, y), x.data,
         w.data, b.data, y.data);
}

template <class T>
void depthwise_backward_data_plain(const Conv2dParams& params, View<const float> w, View<const T> dy, View<T> dx,
                                   Stream stream) {
  launch(stream, grid_for("depthwise_backward_data_plain", dx.size()), data_kernel<T>,
         depthwise_shape(params, dx, w, dy), w.data, dy.data, dx.data);
}

template <class T>
void depthwise_backward_weight_plain(const Conv2dParams& params, View<const T> x, View<const T> dy, View<float> dw,
                                     Stream stream) {
  launch(stream, grid_for("depthwise_backward_weight_plain", dw.size()), weight_kernel<T>,
         depthwise_shape(params, x, dw, dy), x.data, dy.data, dw.data);
}

#define FER_INSTANTIATE(T)                                                                                             \
  template void depthwise_forward_plain(const Conv2dParams&, View<const T>, View<const float>, View<const float>,      \
                                        View<T>, Stream);                                                              \
  template void depthwise_backward_data_plain(const Conv2dParams&, View<const float>, View<const T>, View<T>, Stream); \
  template void depthwise_backward_weight_plain(const Conv2dParams&, View<const T>, View<const T>, View<float>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
