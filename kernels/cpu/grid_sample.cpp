#include "kernels/grid_sample.h"

#include <algorithm>

#include "kernels/cpu/few_channels.h"
#include "kernels/grid_sample_corners.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 16;

// dx and dtheta of one sample, either null.
template <class T, class Channels>
void sample_backward(const T* x, const T* theta, const T* dy, const Shape& input, const Shape& output, T* dx, T* dtheta,
                     Channels channels) {
  const int64_t input_height = input[1], input_width = input[2], height = output[1], width = output[2];
  if (dx) {
    std::fill_n(dx, input_height * input_width * channels(), T(0));
  }
  double sums[6] = {};  // of d/dx times (u, v, 1), and of d/dy
  for (int64_t i = 0; i < height; ++i) {
    const T v = grid_coordinate<T>(i, height);
    for (int64_t j = 0; j < width; ++j, dy += channels()) {
      const T u = grid_coordinate<T>(j, width);
      GridSampleCorners<T> corners;
      if (!corners.find(theta, u, v, input_height, input_width, channels())) {
        continue;
      }
      T x_gradient = 0, y_gradient = 0;
      for (int corner = 0; corner < 4; ++corner) {
        const int64_t offset = corners.offset[corner];
        if (offset < 0) {
          continue;
        }
        if (dx) {
          const T weight = corners.weight(corner);
#pragma omp simd
          for (int64_t c = 0; c < channels(); ++c) {
            dx[offset + c] += weight * dy[c];
          }
        }
        if (dtheta) {
          T dot = 0;
#pragma omp simd reduction(+ : dot)
          for (int64_t c = 0; c < channels(); ++c) {
            dot += x[offset + c] * dy[c];
          }
          x_gradient += corners.x_slope(corner) * dot;
          y_gradient += corners.y_slope(corner) * dot;
        }
      }
      const double gx = x_gradient, gy = y_gradient;
      sums[0] += gx * u, sums[1] += gx * v, sums[2] += gx;
      sums[3] += gy * u, sums[4] += gy * v, sums[5] += gy;
    }
  }
  for (int k = 0; k < 6 && dtheta; ++k) {
    dtheta[k] = static_cast<T>(sums[k] * static_cast<double>(k < 3 ? input_width : input_height) / 2);
  }
}

}  // namespace

template <class T>
void affine_grid_sample_forward(View<const T> x, View<const T> theta, View<T> y) {
  const int64_t height = y[1], width = y[2], image = x[1] * x[2] * x[3], input_height = x[1], input_width = x[2];
  with_channels(x[3], [&](auto channels) {
    parallel_for(y[0] * height, row_grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / height;
        const T* source = x.data + n * image;
        const double v = grid_coordinate<double>(row % height, height);
        T* result = y.data + row * width * channels();
        for (int64_t j = 0; j < width; ++j, result += channels()) {
          std::fill_n(result, channels(), T(0));
          GridSampleCorners<T> corners;
          if (!corners.find(theta.data + 6 * n, grid_coordinate<double>(j, width), v, input_height, input_width,
                            channels())) {
            continue;
          }
          for (int corner = 0; corner < 4; ++corner) {
            if (corners.offset[corner] >= 0) {
              const T weight = corners.weight(corner);
              const T* pixel = source + corners.offset[corner];
#pragma omp simd
              for (int64_t c = 0; c < channels(); ++c) {
                result[c] += weight * pixel[c];
              }
            }
          }
        }
      }
    });
  });
}

template <class T>
void affine_grid_sample_backward(View<const T> x, View<const T> theta, View<const T> dy, View<T> dx, View<T> dtheta) {
  const int64_t image = x.size() / x[0], output = dy.size() / dy[0];
  with_channels(x[3], [&](auto channels) {
    parallel_for(x[0], 1, [&](int64_t begin, int64_t end) {  // by samples: nobody else adds to a sample's dx
      for (int64_t n = begin; n < end; ++n) {
        sample_backward(x.data + n * image, theta.data + 6 * n, dy.data + n * output, x.shape, dy.shape,
                        dx.data ? dx.data + n * image : nullptr, dtheta.data ? dtheta.data + 6 * n : nullptr, channels);
      }
    });
  });
}

#define FER_INSTANTIATE(T)                                                         \
  template void affine_grid_sample_forward(View<const T>, View<const T>, View<T>); \
  template void affine_grid_sample_backward(View<const T>, View<const T>, View<const T>, View<T>, View<T>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
