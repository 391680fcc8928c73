#include "kernels/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 16;

// Input pixel coordinates of output pixels of one sample: the chain of normalised coordinates multiplied out about the
// images' centres, so that the identity lands on pixel centres exactly.
template <class T>
struct PixelMap {
  PixelMap(const T* theta, const Shape& input, const Shape& output)
      : width(input[2]),
        height(input[1]),
        half_w(static_cast<T>(output[2] - 1) / 2),
        half_h(static_cast<T>(output[1] - 1) / 2),
        x_step(static_cast<T>(input[2]) / static_cast<T>(output[2])),
        y_step(static_cast<T>(input[1]) / static_cast<T>(output[1])),
        aspect_xy(static_cast<T>(input[2]) / static_cast<T>(output[1])),
        aspect_yx(static_cast<T>(input[1]) / static_cast<T>(output[2])) {
    xx = theta[0] * x_step;
    xy = theta[1] * aspect_xy;
    x0 = (theta[2] * static_cast<T>(width) + static_cast<T>(width - 1)) / 2;
    yx = theta[3] * aspect_yx;
    yy = theta[4] * y_step;
    y0 = (theta[5] * static_cast<T>(height) + static_cast<T>(height - 1)) / 2;
  }

  int64_t width, height;
  T half_w, half_h;                        // centre of the output, in pixels
  T x_step, y_step, aspect_xy, aspect_yx;  // d(input pixel) / d(theta) per output pixel from the centre
  T xx, xy, x0, yx, yy, y0;
};

// The four input pixels about a point: offsets of in-image corners (else -1) in nw, ne, sw, se order, and how far the
// point lies from the upper left one.
template <class T>
struct Corners {
  // False when every corner lies outside (also for NaN coordinates).
  bool find(const PixelMap<T>& map, T u, T v, int64_t channels) {
    const T x = map.xx * u + map.xy * v + map.x0;
    const T y = map.yx * u + map.yy * v + map.y0;
    if (!(x >= T(-1) && x < static_cast<T>(map.width) && y >= T(-1) && y < static_cast<T>(map.height))) {
      return false;
    }
    const auto left = static_cast<int64_t>(std::floor(x));
    const auto top = static_cast<int64_t>(std::floor(y));
    right_share = x - static_cast<T>(left);
    lower_share = y - static_cast<T>(top);
    const bool has_left = left >= 0, has_right = left + 1 < map.width;
    const bool has_top = top >= 0, has_bottom = top + 1 < map.height;
    const int64_t first = (top * map.width + left) * channels;
    const int64_t row = map.width * channels;
    offset[0] = has_top && has_left ? first : -1;
    offset[1] = has_top && has_right ? first + channels : -1;
    offset[2] = has_bottom && has_left ? first + row : -1;
    offset[3] = has_bottom && has_right ? first + row + channels : -1;
    return true;
  }

  T weight(int corner) const {
    return (corner % 2 ? right_share : 1 - right_share) * (corner / 2 ? lower_share : 1 - lower_share);
  }
  // d weight / d x and d weight / d y.
  T x_slope(int corner) const { return (corner % 2 ? T(1) : T(-1)) * (corner / 2 ? lower_share : 1 - lower_share); }
  T y_slope(int corner) const { return (corner / 2 ? T(1) : T(-1)) * (corner % 2 ? right_share : 1 - right_share); }

  int64_t offset[4];
  T right_share, lower_share;
};

}  // namespace

template <class T>
void affine_grid_sample_forward(View<const T> x, View<const T> theta, View<T> y) {
  const int64_t channels = x[3], height = y[1], width = y[2], image = x[1] * x[2] * channels;
  parallel_for(y[0] * height, row_grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / height;
      const PixelMap<T> map(theta.data + 6 * n, x.shape, y.shape);
      const T* source = x.data + n * image;
      const T v = static_cast<T>(row % height) - map.half_h;
      for (int64_t j = 0; j < width; ++j) {
        T* result = y.data + (row * width + j) * channels;
        std::fill(result, result + channels, T(0));
        Corners<T> corners;
        if (!corners.find(map, static_cast<T>(j) - map.half_w, v, channels)) {
          continue;
        }
        for (int corner = 0; corner < 4; ++corner) {
          if (corners.offset[corner] >= 0) {
            const T weight = corners.weight(corner);
            const T* pixel = source + corners.offset[corner];
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
              result[c] += weight * pixel[c];
            }
          }
        }
      }
    }
  });
}

template <class T>
void affine_grid_sample_backward(View<const T> x, View<const T> theta, View<const T> dy, View<T> dx, View<T> dtheta) {
  const int64_t channels = x[3], height = dy[1], width = dy[2], image = x[1] * x[2] * channels;
  parallel_for(x[0], 1, [&](int64_t begin, int64_t end) {  // by samples: nobody else adds to a sample's dx
    for (int64_t n = begin; n < end; ++n) {
      const PixelMap<T> map(theta.data + 6 * n, x.shape, dy.shape);
      const T* source = x.data + n * image;
      T* target = dx.data ? dx.data + n * image : nullptr;
      if (target) {
        std::fill(target, target + image, T(0));
      }
      double sums[6] = {};  // of d/dx times (u, v, 1), and of d/dy
      for (int64_t i = 0; i < height; ++i) {
        const T v = static_cast<T>(i) - map.half_h;
        for (int64_t j = 0; j < width; ++j) {
          const T u = static_cast<T>(j) - map.half_w;
          Corners<T> corners;
          if (!corners.find(map, u, v, channels)) {
            continue;
          }
          const T* gradient = dy.data + ((n * height + i) * width + j) * channels;
          T x_gradient = 0, y_gradient = 0;
          for (int corner = 0; corner < 4; ++corner) {
            const int64_t offset = corners.offset[corner];
            if (offset < 0) {
              continue;
            }
            if (target) {
              const T weight = corners.weight(corner);
#pragma omp simd
              for (int64_t c = 0; c < channels; ++c) {
                target[offset + c] += weight * gradient[c];
              }
            }
            if (dtheta.data) {
              T dot = 0;
#pragma omp simd reduction(+ : dot)
              for (int64_t c = 0; c < channels; ++c) {
                dot += source[offset + c] * gradient[c];
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
      if (dtheta.data) {
        const T factors[6] = {map.x_step,    map.aspect_xy, static_cast<T>(map.width) / 2,
                              map.aspect_yx, map.y_step,    static_cast<T>(map.height) / 2};
        for (int k = 0; k < 6; ++k) {
          dtheta.data[6 * n + k] = static_cast<T>(sums[k] * factors[k]);
        }
      }
    }
  });
}

#define FER_INSTANTIATE(T)                                                         \
  template void affine_grid_sample_forward(View<const T>, View<const T>, View<T>); \
  template void affine_grid_sample_backward(View<const T>, View<const T>, View<const T>, View<T>, View<T>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
