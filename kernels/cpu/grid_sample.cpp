#include "kernels/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/few_channels.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 16;

// Coordinate in [-1, 1] of the centre of output pixel `at` of `count`.
template <class T>
T coordinate(int64_t at, int64_t count) {
  return static_cast<T>(2 * at + 1 - count) / static_cast<T>(count);
}

// The four input pixels about a point, in nw, ne, sw, se order. Arithmetic is in PyTorch's order, since a point that
// falls on a pixel's centre up to rounding takes its gradient from one side or the other.
template <class T>
struct Corners {
  // False when every corner lies outside (also for NaN coordinates).
  bool find(const T* theta, T u, T v, int64_t height, int64_t width, int64_t channels) {
    const T x = position(theta, u, v, width), y = position(theta + 3, u, v, height);
    if (!(x >= T(-1) && x < static_cast<T>(width) && y >= T(-1) && y < static_cast<T>(height))) {
      return false;
    }
    const T left = std::floor(x), top = std::floor(y);
    right_share = x - left;
    lower_share = y - top;
    const auto column = static_cast<int64_t>(left), row = static_cast<int64_t>(top);
    const bool columns[2] = {column >= 0, column + 1 < width}, rows[2] = {row >= 0, row + 1 < height};
    for (int corner = 0; corner < 4; ++corner) {
      const int right = corner % 2, low = corner / 2;
      offset[corner] = columns[right] && rows[low] ? ((row + low) * width + column + right) * channels : -1;
    }
    return true;
  }

  T weight(int corner) const {
    return (corner % 2 ? right_share : 1 - right_share) * (corner / 2 ? lower_share : 1 - lower_share);
  }
  // d weight / d x and d weight / d y.
  T x_slope(int corner) const { return (corner % 2 ? T(1) : T(-1)) * (corner / 2 ? lower_share : 1 - lower_share); }
  T y_slope(int corner) const { return (corner / 2 ? T(1) : T(-1)) * (corner % 2 ? right_share : 1 - right_share); }

  int64_t offset[4];  // in the image; -1 outside
  T right_share, lower_share;

 private:
  // Input pixel that one row of theta maps (u, v, 1) to.
  static T position(const T* theta, T u, T v, int64_t size) {
    const T normalised = std::fma(theta[1], v, theta[0] * u) + theta[2];
    return std::fma(normalised + 1, static_cast<T>(size) / 2, T(-0.5));
  }
};

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
    const T v = coordinate<T>(i, height);
    for (int64_t j = 0; j < width; ++j, dy += channels()) {
      const T u = coordinate<T>(j, width);
      Corners<T> corners;
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
        const T v = coordinate<T>(row % height, height);
        T* result = y.data + row * width * channels();
        for (int64_t j = 0; j < width; ++j, result += channels()) {
          std::fill_n(result, channels(), T(0));
          Corners<T> corners;
          if (!corners.find(theta.data + 6 * n, coordinate<T>(j, width), v, input_height, input_width, channels())) {
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
