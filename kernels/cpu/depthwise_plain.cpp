// Depthwise convolution as its definition reads: what the fast kernels are checked against.
#include <algorithm>

#include "kernels/depthwise.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

// Calls body(output pixel, input pixel, tap) for every tap of image n that falls inside the image.
template <class Body>
void for_taps(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y, int64_t n, Body&& body) {
  for (int64_t oh = 0; oh < y[1]; ++oh) {
    for (int64_t ow = 0; ow < y[2]; ++ow) {
      for (int64_t kh = 0; kh < w[0]; ++kh) {
        for (int64_t kw = 0; kw < w[1]; ++kw) {
          const int64_t row = oh * params.stride - params.padding.top + kh;
          const int64_t column = ow * params.stride - params.padding.left + kw;
          if (row >= 0 && row < x[1] && column >= 0 && column < x[2]) {
            body((n * y[1] + oh) * y[2] + ow, (n * x[1] + row) * x[2] + column, kh * w[1] + kw);
          }
        }
      }
    }
  }
}

// to[c] += a[c] b[c].
template <class T>
void multiply_add(const T* a, const T* b, T* to, int64_t channels) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    to[c] += a[c] * b[c];
  }
}

}  // namespace

template <class T>
void depthwise_forward_plain(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y) {
  const int64_t channels = x[3];
  parallel_for(x[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t pixel = n * y[1] * y[2]; pixel < (n + 1) * y[1] * y[2]; ++pixel) {
        for (int64_t c = 0; c < channels; ++c) {
          y.data[pixel * channels + c] = b.data == nullptr ? T(0) : b.data[c];
        }
      }
      for_taps(params, x.shape, w.shape, y.shape, n, [&](int64_t out, int64_t in, int64_t tap) {
        multiply_add(x.data + in * channels, w.data + tap * channels, y.data + out * channels, channels);
      });
    }
  });
}

template <class T>
void depthwise_backward_data_plain(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx) {
  const int64_t channels = dx[3];
  const int64_t image = dx[1] * dx[2] * channels;
  parallel_for(dx[0], 1, [&](int64_t begin, int64_t end) {
    std::fill(dx.data + begin * image, dx.data + end * image, T(0));
    for (int64_t n = begin; n < end; ++n) {
      for_taps(params, dx.shape, w.shape, dy.shape, n, [&](int64_t out, int64_t in, int64_t tap) {
        multiply_add(dy.data + out * channels, w.data + tap * channels, dx.data + in * channels, channels);
      });
    }
  });
}

template <class T>
void depthwise_backward_weight_plain(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw) {
  const int64_t channels = x[3];
  std::fill_n(dw.data, dw.size(), T(0));
  // Threads share the channels: each sum is made in one order whatever their number.
  parallel_for(channels, 16, [&](int64_t begin, int64_t end) {
    for (int64_t n = 0; n < x[0]; ++n) {
      for_taps(params, x.shape, dw.shape, dy.shape, n, [&](int64_t out, int64_t in, int64_t tap) {
        multiply_add(dy.data + out * channels + begin, x.data + in * channels + begin, dw.data + tap * channels + begin,
                     end - begin);
      });
    }
  });
}

template void depthwise_forward_plain(const Conv2dParams&, View<const float>, View<const float>, View<const float>,
                                      View<float>);
template void depthwise_forward_plain(const Conv2dParams&, View<const double>, View<const double>, View<const double>,
                                      View<double>);
template void depthwise_backward_data_plain(const Conv2dParams&, View<const float>, View<const float>, View<float>);
template void depthwise_backward_data_plain(const Conv2dParams&, View<const double>, View<const double>, View<double>);
template void depthwise_backward_weight_plain(const Conv2dParams&, View<const float>, View<const float>, View<float>);
template void depthwise_backward_weight_plain(const Conv2dParams&, View<const double>, View<const double>,
                                              View<double>);

}  // namespace fer
