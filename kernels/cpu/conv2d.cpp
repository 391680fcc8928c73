#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/cpu/conv2d_taps.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace fer {

Padding symmetric_padding(int64_t amount) { return {amount, amount, amount, amount}; }

Padding same_padding(int64_t height, int64_t width, int64_t kernel, int64_t stride) {
  const auto total = [&](int64_t in) {
    return std::max<int64_t>(((in + stride - 1) / stride - 1) * stride + kernel - in, 0);
  };
  const int64_t rows = total(height);
  const int64_t columns = total(width);
  return {rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
}

int64_t window_extent(std::string_view who, int64_t in, int64_t before, int64_t after, int64_t kernel, int64_t stride) {
  if (stride < 1 || kernel < 1 || before < 0 || after < 0) {
    fail(who, ": kernel ", kernel, ", stride ", stride, ", padding ", before, " and ", after,
         ": kernel and stride must be at least 1, padding at least 0");
  }
  if (in + before + after < kernel) {
    fail(who, ": a kernel of ", kernel, " does not fit into ", in, " with padding ", before, " and ", after);
  }
  return (in + before + after - kernel) / stride + 1;
}

template <class T>
void conv2d_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y) {
  const int64_t out = w[0];
  const int64_t filter = w.size() / out;
  const int64_t pixels = y[1] * y[2];
  parallel_for(x[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t pixel = n * pixels; pixel < (n + 1) * pixels; ++pixel) {
        for (int64_t o = 0; o < out; ++o) {
          y.data[pixel * out + o] = b.data == nullptr ? T(0) : b.data[o];
        }
      }
      for_tap_rows(params, x.shape, w.shape, y.shape, n,
                   [&](int64_t pixel, int64_t x_offset, int64_t w_offset, int64_t length) {
                     const T* const taps = x.data + x_offset;
                     for (int64_t o = 0; o < out; ++o) {
                       const T* const weights = w.data + o * filter + w_offset;
                       T sum = 0;
#pragma omp simd reduction(+ : sum)
                       for (int64_t i = 0; i < length; ++i) {
                         sum += taps[i] * weights[i];
                       }
                       y.data[pixel * out + o] += sum;
                     }
                   });
    }
  });
}

template <class T>
void conv2d_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx) {
  const int64_t out = w[0];
  const int64_t filter = w.size() / out;
  const int64_t image = dx.size() / dx[0];
  parallel_for(dx[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      std::fill_n(dx.data + n * image, image, T(0));
      for_tap_rows(params, dx.shape, w.shape, dy.shape, n,
                   [&](int64_t pixel, int64_t x_offset, int64_t w_offset, int64_t length) {
                     T* const taps = dx.data + x_offset;
                     for (int64_t o = 0; o < out; ++o) {
                       const T* const weights = w.data + o * filter + w_offset;
                       const T cotangent = dy.data[pixel * out + o];
#pragma omp simd
                       for (int64_t i = 0; i < length; ++i) {
                         taps[i] += cotangent * weights[i];
                       }
                     }
                   });
    }
  });
}

template <class T>
void conv2d_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw, View<T> db) {
  const int64_t out = dy[3];
  const int64_t filter = dw.size() / out;
  // Threads share the filters, not the images: each sum is then made in one order whatever their number.
  parallel_for(out, 1, [&](int64_t begin, int64_t end) {
    std::fill(dw.data + begin * filter, dw.data + end * filter, T(0));
    for (int64_t n = 0; n < x[0]; ++n) {
      for_tap_rows(params, x.shape, dw.shape, dy.shape, n,
                   [&](int64_t pixel, int64_t x_offset, int64_t w_offset, int64_t length) {
                     const T* const taps = x.data + x_offset;
                     for (int64_t o = begin; o < end; ++o) {
                       T* const weights = dw.data + o * filter + w_offset;
                       const T cotangent = dy.data[pixel * out + o];
#pragma omp simd
                       for (int64_t i = 0; i < length; ++i) {
                         weights[i] += cotangent * taps[i];
                       }
                     }
                   });
    }
    for (int64_t o = begin; db.data != nullptr && o < end; ++o) {
      double sum = 0;
      for (int64_t pixel = 0; pixel < dy.size() / out; ++pixel) {
        sum += static_cast<double>(dy.data[pixel * out + o]);
      }
      db.data[o] = static_cast<T>(sum);
    }
  });
}

template void conv2d_forward(const Conv2dParams&, View<const float>, View<const float>, View<const float>, View<float>);
template void conv2d_forward(const Conv2dParams&, View<const double>, View<const double>, View<const double>,
                             View<double>);
template void conv2d_backward_data(const Conv2dParams&, View<const float>, View<const float>, View<float>);
template void conv2d_backward_data(const Conv2dParams&, View<const double>, View<const double>, View<double>);
template void conv2d_backward_weight(const Conv2dParams&, View<const float>, View<const float>, View<float>,
                                     View<float>);
template void conv2d_backward_weight(const Conv2dParams&, View<const double>, View<const double>, View<double>,
                                     View<double>);

}  // namespace fer
