#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/pack.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 128;

struct ConvShape {
  int64_t images, height, width, in;   // of x
  int64_t out_height, out_width, out;  // of y
  int64_t rows, columns;               // of the kernel
  int64_t stride, top, left;
};

template <class X, class W, class Y>
ConvShape conv_shape(const Conv2dParams& params, const View<X>& x, const View<W>& w, const View<Y>& y) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], y[3], w[1], w[2], params.stride, params.padding.top, params.padding.left};
}

Grid grid_for(const char* name, int64_t results) {
  return {name, dim3(static_cast<unsigned>(blocks_for<int64_t>(results, threads))), dim3(threads)};
}

__device__ __forceinline__ int64_t result_number() { return int64_t{blockIdx.x} * threads + threadIdx.x; }

// The sum over `count` of a[i * a_step] b[i * b_step]. In double: this is the reference.
template <class T>
__device__ double dot(int64_t count, const T* a, int64_t a_step, const T* b, int64_t b_step) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    sum +=
        static_cast<double>(static_cast<float>(a[i * a_step])) * static_cast<double>(static_cast<float>(b[i * b_step]));
  }
  return sum;
}

template <class T>
__global__ void forward_kernel(ConvShape s, int64_t size, const T* x, const T* w, const float* b, T* y) {
  const int64_t result = result_number();
  if (result >= size) {
    return;
  }
  const int64_t o = result % s.out, pixel = result / s.out, image = pixel / (s.out_height * s.out_width);
  const int64_t top = pixel / s.out_width % s.out_height * s.stride - s.top,
                left = pixel % s.out_width * s.stride - s.left;
  double sum = b == nullptr ? 0 : static_cast<double>(b[o]);
  for (int64_t kh = max(int64_t{0}, -top); kh < min(s.rows, s.height - top); ++kh) {
    for (int64_t kw = max(int64_t{0}, -left); kw < min(s.columns, s.width - left); ++kw) {
      sum += dot(s.in, x + ((image * s.height + top + kh) * s.width + left + kw) * s.in, 1,
                 w + ((o * s.rows + kh) * s.columns + kw) * s.in, 1);
    }
  }
  y[result] = static_cast<T>(static_cast<float>(sum));
}

template <class T>
__global__ void data_kernel(ConvShape s, int64_t size, const T* w, const T* dy, T* dx) {
  const int64_t result = result_number();
  if (result >= size) {
    return;
  }
  const int64_t c = result % s.in, pixel = result / s.in, image = pixel / (s.height * s.width);
  const int64_t row = pixel / s.width % s.height + s.top, column = pixel % s.width + s.left;  // padded
  double sum = 0;
  for (int64_t kh = 0; kh < min(s.rows, row + 1); ++kh) {
    for (int64_t kw = 0; kw < min(s.columns, column + 1); ++kw) {
      const int64_t out_row = (row - kh) / s.stride, out_column = (column - kw) / s.stride;
      if (out_row * s.stride == row - kh && out_column * s.stride == column - kw && out_row < s.out_height &&
          out_column < s.out_width) {
        sum += dot(s.out, dy + ((image * s.out_height + out_row) * s.out_width + out_column) * s.out, 1,
                   w + (kh * s.columns + kw) * s.in + c, s.rows * s.columns * s.in);
      }
    }
  }
  dx[result] = static_cast<T>(static_cast<float>(sum));
}

template <class T>
__global__ void weight_kernel(ConvShape s, int64_t size, const T* x, const T* dy, T* dw) {
  const int64_t result = result_number();
  if (result >= size) {
    return;
  }
  const int64_t c = result % s.in, kw = result / s.in % s.columns, kh = result / s.in / s.columns % s.rows;
  const int64_t o = result / s.in / s.columns / s.rows;
  double sum = 0;
  for (int64_t image_row = 0; image_row < s.images * s.out_height; ++image_row) {
    const int64_t row = image_row % s.out_height * s.stride - s.top + kh;
    for (int64_t out_column = 0; row >= 0 && row < s.height && out_column < s.out_width; ++out_column) {
      const int64_t column = out_column * s.stride - s.left + kw;
      if (column >= 0 && column < s.width) {
        const int64_t from = (image_row / s.out_height * s.height + row) * s.width + column;
        sum += static_cast<double>(static_cast<float>(x[from * s.in + c]) *
                                   static_cast<float>(dy[(image_row * s.out_width + out_column) * s.out + o]));
      }
    }
  }
  dw[result] = static_cast<T>(static_cast<float>(sum));
}

}  // namespace

template <class T>
void conv2d_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const float> b, View<T> y,
                    Stream stream) {
  launch(stream, grid_for("conv2d", y.size()), forward_kernel<T>, conv_shape(params, x, w, y), y.size(), x.data, w.data,
         b.data, y.data);
}

template <class T>
void conv2d_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx, Stream stream) {
  launch(stream, grid_for("conv2d_backward_data", dx.size()), data_kernel<T>, conv_shape(params, dx, w, dy), dx.size(),
         w.data, dy.data, dx.data);
}

template <class T>
void conv2d_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw, Stream stream) {
  launch(stream, grid_for("conv2d_backward_weight", dw.size()), weight_kernel<T>, conv_shape(params, x, dw, dy),
         dw.size(), x.data, dy.data, dw.data);
}

#define FER_INSTANTIATE(T)                                                                                             \
  template void conv2d_forward(const Conv2dParams&, View<const T>, View<const T>, View<const float>, View<T>, Stream); \
  template void conv2d_backward_data(const Conv2dParams&, View<const T>, View<const T>, View<T>, Stream);              \
  template void conv2d_backward_weight(const Conv2dParams&, View<const T>, View<const T>, View<T>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
