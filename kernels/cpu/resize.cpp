#include "kernels/resize.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 16;

// The two input pixels of one output pixel along one axis.
template <class T>
struct Tap {
  Tap(int64_t at, T step, int64_t input) {
    const T position = std::max((static_cast<T>(at) + T(0.5)) * step - T(0.5), T(0));
    low = std::min(static_cast<int64_t>(position), input - 1);
    high = std::min(low + 1, input - 1);
    high_share = position - static_cast<T>(low);
    low_share = 1 - high_share;
  }

  int64_t low, high;
  T low_share, high_share;
};

template <class T>
T step_of(int64_t input, int64_t output) {
  return static_cast<T>(input) / static_cast<T>(output);
}

}  // namespace

template <class T>
void resize_bilinear_forward(View<const T> x, View<T> y) {
  const int64_t channels = x[3], height = y[1], width = y[2], row_size = x[2] * channels;
  const T y_step = step_of<T>(x[1], height), x_step = step_of<T>(x[2], width);
  parallel_for(y[0] * height, row_grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Tap<T> v(row % height, y_step, x[1]);
      const T* image = x.data + row / height * x[1] * row_size;
      const T* upper = image + v.low * row_size;
      const T* lower = image + v.high * row_size;
      for (int64_t j = 0; j < width; ++j) {
        const Tap<T> u(j, x_step, x[2]);
        const int64_t left = u.low * channels, right = u.high * channels;
        T* result = y.data + (row * width + j) * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          result[c] = v.low_share * (u.low_share * upper[left + c] + u.high_share * upper[right + c]) +
                      v.high_share * (u.low_share * lower[left + c] + u.high_share * lower[right + c]);
        }
      }
    }
  });
}

template <class T>
void resize_bilinear_backward(View<const T> dy, View<T> dx) {
  const int64_t channels = dx[3], height = dy[1], width = dy[2], row_size = dx[2] * channels;
  const T y_step = step_of<T>(dx[1], height), x_step = step_of<T>(dx[2], width);
  parallel_for(dx[0], 1, [&](int64_t begin, int64_t end) {  // by samples: nobody else adds to a sample's dx
    for (int64_t n = begin; n < end; ++n) {
      T* image = dx.data + n * dx[1] * row_size;
      std::fill(image, image + dx[1] * row_size, T(0));
      for (int64_t i = 0; i < height; ++i) {
        const Tap<T> v(i, y_step, dx[1]);
        T* upper = image + v.low * row_size;
        T* lower = image + v.high * row_size;
        for (int64_t j = 0; j < width; ++j) {
          const Tap<T> u(j, x_step, dx[2]);
          const int64_t left = u.low * channels, right = u.high * channels;
          const T* gradient = dy.data + ((n * height + i) * width + j) * channels;
          // One corner after another: at the border two of them are one pixel.
          const auto add = [&](T* pixel, T share) {
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
              pixel[c] += share * gradient[c];
            }
          };
          add(upper + left, v.low_share * u.low_share);
          add(upper + right, v.low_share * u.high_share);
          add(lower + left, v.high_share * u.low_share);
          add(lower + right, v.high_share * u.high_share);
        }
      }
    }
  });
}

template void resize_bilinear_forward(View<const float>, View<float>);
template void resize_bilinear_forward(View<const double>, View<double>);
template void resize_bilinear_backward(View<const float>, View<float>);
template void resize_bilinear_backward(View<const double>, View<double>);

}  // namespace fer
