#include "kernels/resize.h"

#include <algorithm>

#include "kernels/cpu/few_channels.h"
#include "kernels/resize_tap.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 16;

}  // namespace

template <class T>
void resize_bilinear_forward(View<const T> x, View<T> y) {
  const int64_t input_height = x[1], input_width = x[2], height = y[1], width = y[2];
  const double y_step = resize_step(input_height, height), x_step = resize_step(input_width, width);
  with_channels(x[3], [&](auto channels) {
    parallel_for(y[0] * height, row_grain, [&](int64_t begin, int64_t end) {
      const int64_t row_size = input_width * channels();
      T* result = y.data + begin * width * channels();
      for (int64_t row = begin; row < end; ++row) {
        const ResizeTap<T> v(row % height, y_step, input_height);
        const T* image = x.data + row / height * input_height * row_size;
        const T* upper = image + v.low * row_size;
        const T* lower = image + v.high * row_size;
        for (int64_t j = 0; j < width; ++j, result += channels()) {
          const ResizeTap<T> u(j, x_step, input_width);
          const int64_t left = u.low * channels(), right = u.high * channels();
#pragma omp simd
          for (int64_t c = 0; c < channels(); ++c) {
            result[c] = v.low_share * (u.low_share * upper[left + c] + u.high_share * upper[right + c]) +
                        v.high_share * (u.low_share * lower[left + c] + u.high_share * lower[right + c]);
          }
        }
      }
    });
  });
}

template <class T>
void resize_bilinear_backward(View<const T> dy, View<T> dx) {
  const int64_t input_height = dx[1], input_width = dx[2], height = dy[1], width = dy[2];
  const double y_step = resize_step(input_height, height), x_step = resize_step(input_width, width);
  with_channels(dx[3], [&](auto channels) {
    const int64_t row_size = input_width * channels();
    parallel_for(dx[0], 1, [&](int64_t begin, int64_t end) {  // by samples: nobody else adds to a sample's dx
      std::fill(dx.data + begin * input_height * row_size, dx.data + end * input_height * row_size, T(0));
      const T* gradient = dy.data + begin * height * width * channels();
      for (int64_t row = begin * height; row < end * height; ++row) {
        const ResizeTap<T> v(row % height, y_step, input_height);
        T* image = dx.data + row / height * input_height * row_size;
        T* upper = image + v.low * row_size;
        T* lower = image + v.high * row_size;
        for (int64_t j = 0; j < width; ++j, gradient += channels()) {
          const ResizeTap<T> u(j, x_step, input_width);
          const int64_t left = u.low * channels(), right = u.high * channels();
          // One corner after another: at the border two of them are one pixel.
          const auto add = [&](T* pixel, T share) {
#pragma omp simd
            for (int64_t c = 0; c < channels(); ++c) {
              pixel[c] += share * gradient[c];
            }
          };
          add(upper + left, v.low_share * u.low_share);
          add(upper + right, v.low_share * u.high_share);
          add(lower + left, v.high_share * u.low_share);
          add(lower + right, v.high_share * u.high_share);
        }
      }
    });
  });
}

template void resize_bilinear_forward(View<const float>, View<float>);
template void resize_bilinear_forward(View<const double>, View<double>);
template void resize_bilinear_backward(View<const float>, View<float>);
template void resize_bilinear_backward(View<const double>, View<double>);

}  // namespace fer
