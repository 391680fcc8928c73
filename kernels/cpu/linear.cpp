#include "kernels/linear.h"

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;  // multiply-adds worth a thread

int64_t row_grain(int64_t work_per_row) { return 1 + grain / std::max<int64_t>(1, work_per_row); }

}  // namespace

template <class T>
void linear_forward(View<const T> x, View<const T> w, View<const T> b, View<T> y) {
  const int64_t out = w[0];
  const int64_t in = w[1];
  parallel_for(x[0], row_grain(in * out), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const T* const row = x.data + n * in;
      for (int64_t o = 0; o < out; ++o) {
        const T* const weight = w.data + o * in;
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < in; ++i) {
          sum += row[i] * weight[i];
        }
        y.data[n * out + o] = sum + (b.data == nullptr ? T(0) : b.data[o]);
      }
    }
  });
}

template <class T>
void linear_backward_data(View<const T> w, View<const T> dy, View<T> dx) {
  const int64_t out = w[0];
  const int64_t in = w[1];
  parallel_for(dx[0], row_grain(in * out), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T* const row = dx.data + n * in;
      std::fill_n(row, in, T(0));
      for (int64_t o = 0; o < out; ++o) {
        const T* const weight = w.data + o * in;
        const T cotangent = dy.data[n * out + o];
#pragma omp simd
        for (int64_t i = 0; i < in; ++i) {
          row[i] += cotangent * weight[i];
        }
      }
    }
  });
}

template <class T>
void linear_backward_weight(View<const T> x, View<const T> dy, View<T> dw) {
  const int64_t out = dw[0];
  const int64_t in = dw[1];
  parallel_for(out, row_grain(in * x[0]), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      T* const weight = dw.data + o * in;
      std::fill_n(weight, in, T(0));
      for (int64_t n = 0; n < x[0]; ++n) {
        const T* const row = x.data + n * in;
        const T cotangent = dy.data[n * out + o];
#pragma omp simd
        for (int64_t i = 0; i < in; ++i) {
          weight[i] += cotangent * row[i];
        }
      }
    }
  });
}

template void linear_forward(View<const float>, View<const float>, View<const float>, View<float>);
template void linear_forward(View<const double>, View<const double>, View<const double>, View<double>);
template void linear_backward_data(View<const float>, View<const float>, View<float>);
template void linear_backward_data(View<const double>, View<const double>, View<double>);
template void linear_backward_weight(View<const float>, View<const float>, View<float>);
template void linear_backward_weight(View<const double>, View<const double>, View<double>);

}  // namespace fer
