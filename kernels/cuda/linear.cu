#include "kernels/cuda/linear.h"
#include "kernels/cuda/pack.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 128;

// c[row][column] = the sum over `inner` of a[row * a_row + i * a_step] b[column * b_column + i * b_step], plus a bias.
struct Product {
  int64_t rows, columns, inner;
  int64_t a_row, a_step, b_column, b_step;
};

template <class T>
__global__ void product_kernel(Product p, const T* a, const T* b, const float* bias, T* c) {
  const int64_t result = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (result >= p.rows * p.columns) {
    return;
  }
  const int64_t row = result / p.columns, column = result % p.columns;
  double sum = bias == nullptr ? 0 : static_cast<double>(bias[column]);
  for (int64_t i = 0; i < p.inner; ++i) {
    sum += static_cast<double>(static_cast<float>(a[row * p.a_row + i * p.a_step])) *
           static_cast<double>(static_cast<float>(b[column * p.b_column + i * p.b_step]));
  }
  c[result] = static_cast<T>(static_cast<float>(sum));
}

template <class T>
void multiply(const char* name, const Product& product, const T* a, const T* b, const float* bias, T* c,
              Stream stream) {
  const int64_t blocks = blocks_for<int64_t>(product.rows * product.columns, threads);
  launch(stream, {name, dim3(static_cast<unsigned>(blocks)), dim3(threads)}, product_kernel<T>, product, a, b, bias, c);
}

}  // namespace

template <class T>
void linear_forward(View<const T> x, View<const T> w, View<const float> b, View<T> y, Stream stream) {
  const int64_t rows = x[0], in = w[1], out = w[0];
  multiply("linear", {rows, out, in, in, 1, in, 1}, x.data, w.data, b.data, y.data, stream);
}

template <class T>
void linear_backward_data(View<const T> w, View<const T> dy, View<T> dx, Stream stream) {
  const int64_t rows = dx[0], in = w[1], out = w[0];
  multiply("linear_backward_data", {rows, in, out, out, 1, 1, in}, dy.data, w.data, nullptr, dx.data, stream);
}

template <class T>
void linear_backward_weight(View<const T> x, View<const T> dy, View<T> dw, Stream stream) {
  const int64_t rows = x[0], in = dw[1], out = dw[0];
  multiply("linear_backward_weight", {out, in, rows, 1, out, 1, in}, dy.data, x.data, nullptr, dw.data, stream);
}

#define FER_INSTANTIATE(T)                                                                        \
  template void linear_forward(View<const T>, View<const T>, View<const float>, View<T>, Stream); \
  template void linear_backward_data(View<const T>, View<const T>, View<T>, Stream);              \
  template void linear_backward_weight(View<const T>, View<const T>, View<T>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
