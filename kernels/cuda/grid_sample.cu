#include "kernels/cuda/grid_sample.h"
#include "kernels/cuda/resampled_sizes.h"
#include "kernels/grid_sample_corners.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

// The corners that output pixel (i, j) of image n reads; false when it reads none.
template <class Position>
__device__ __forceinline__ bool find_corners(const ResampledSizes& s, const float* theta, int n, int i, int j,
                                             GridSampleCorners<float>& corners) {
  return corners.find(theta + 6 * n, grid_coordinate<Position>(j, s.out_width),
                      grid_coordinate<Position>(i, s.out_height), s.height, s.width, s.channels);
}

template <int width, class T>
__global__ void forward_kernel(ResampledSizes s, const T* x, const float* theta, T* y) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= s.images * s.out_height * s.out_width || channel >= s.channels) {
    return;
  }
  const int n = pixel / (s.out_height * s.out_width);
  float sum[width] = {};
  GridSampleCorners<float> corners;
  if (find_corners<double>(s, theta, n, pixel / s.out_width % s.out_height, pixel % s.out_width, corners)) {
    const T* const image = x + static_cast<int64_t>(n) * s.height * s.width * s.channels;
#pragma unroll
    for (int corner = 0; corner < 4; ++corner) {
      if (corners.offset[corner] >= 0) {
        float value[width];
        load(image + corners.offset[corner] + channel, value);
        const float weight = corners.weight(corner);
#pragma unroll
        for (int c = 0; c < width; ++c) {
          sum[c] += weight * value[c];
        }
      }
    }
  }
  store(y + static_cast<int64_t>(pixel) * s.channels + channel, sum);
}

// Output pixels [top, bottom] x [left, right].
struct Box {
  int top, bottom, left, right;
};

// first … last: the whole numbers of 0 … count - 1 that lie within `reach` of `middle`; all where that is no number.
__device__ __forceinline__ void clip(double middle, double reach, int count, int& first, int& last) {
  const double low = floor(middle - reach), high = ceil(middle + reach);
  const bool known = low <= high;  // false for NaN
  first = known ? static_cast<int>(fmin(fmax(low, 0.0), static_cast<double>(count))) : 0;
  last = known ? static_cast<int>(fmin(fmax(high, -1.0), static_cast<double>(count - 1))) : count - 1;
}

// Holds every output pixel that theta maps to less than one pixel from (row, column) of the input, along both axes: the
// inverse image of a square is a parallelogram, and this is the box about it. Wider than that by more than rounding.
__device__ Box box_about(const ResampledSizes& s, const float* theta, int row, int column) {
  const double half_width = s.width / 2.0, half_height = s.height / 2.0;
  const double xu = theta[0] * half_width, xv = theta[1] * half_width, x0 = (theta[2] + 1.0) * half_width - 0.5;
  const double yu = theta[3] * half_height, yv = theta[4] * half_height, y0 = (theta[5] + 1.0) * half_height - 0.5;
  const double inverse = 1 / (xu * yv - xv * yu);
  const double margin = 0.01 + 1e-6 * (fabs(xu) + fabs(xv) + fabs(x0) + fabs(yu) + fabs(yv) + fabs(y0));
  const double u = (yv * (column - x0) - xv * (row - y0)) * inverse;
  const double v = (xu * (row - y0) - yu * (column - x0)) * inverse;
  const double u_reach = (fabs(yv) + fabs(xv)) * (1 + margin) * fabs(inverse);
  const double v_reach = (fabs(yu) + fabs(xu)) * (1 + margin) * fabs(inverse);
  Box box;
  clip((u * s.out_width + s.out_width - 1) / 2, u_reach * s.out_width / 2 + 0.01, s.out_width, box.left, box.right);
  clip((v * s.out_height + s.out_height - 1) / 2, v_reach * s.out_height / 2 + 0.01, s.out_height, box.top, box.bottom);
  return box;
}

// `everywhere`: asks all output pixels, not only those of the box.
template <int width, bool everywhere, class T>
__global__ void dx_kernel(ResampledSizes s, const float* theta, const T* dy, T* dx) {
  const int pixel = first_row(), channel = first_channel(width);
  if (pixel >= s.images * s.height * s.width || channel >= s.channels) {
    return;
  }
  const int n = pixel / (s.height * s.width), in_image = pixel - n * s.height * s.width;
  Box box{0, s.out_height - 1, 0, s.out_width - 1};
  if (!everywhere) {
    box = box_about(s, theta + 6 * n, in_image / s.width, in_image % s.width);
  }
  float sum[width] = {};
  for (int i = box.top; i <= box.bottom; ++i) {
    for (int j = box.left; j <= box.right; ++j) {
      GridSampleCorners<float> corners;
      if (!find_corners<float>(s, theta, n, i, j, corners)) {
        continue;
      }
#pragma unroll
      for (int corner = 0; corner < 4; ++corner) {
        if (corners.offset[corner] == static_cast<int64_t>(in_image) * s.channels) {
          float slope[width];
          load(dy + ((static_cast<int64_t>(n) * s.out_height + i) * s.out_width + j) * s.channels + channel, slope);
          const float weight = corners.weight(corner);
#pragma unroll
          for (int c = 0; c < width; ++c) {
            sum[c] += weight * slope[c];
          }
        }
      }
    }
  }
  store(dx + static_cast<int64_t>(pixel) * s.channels + channel, sum);
}

// Image blockIdx.x: its threads share output pixels and channels, and their sums of d/dx times (u, v, 1) and of d/dy.
template <int width, class T>
__global__ void __launch_bounds__(channel_threads)
    dtheta_kernel(ResampledSizes s, const T* x, const float* theta, const T* dy, float* dtheta) {
  FER_SHARED(double, shared, [channel_threads]);
  const int n = static_cast<int>(blockIdx.x), pixels = s.out_height * s.out_width;
  const T* const image = x + static_cast<int64_t>(n) * s.height * s.width * s.channels;
  double sums[6] = {};
  for (int pixel = static_cast<int>(threadIdx.y); pixel < pixels; pixel += static_cast<int>(blockDim.y)) {
    const int i = pixel / s.out_width, j = pixel % s.out_width;
    GridSampleCorners<float> corners;
    if (!find_corners<float>(s, theta, n, i, j, corners)) {
      continue;
    }
    float gx = 0, gy = 0;
    for (int channel = static_cast<int>(threadIdx.x) * width; channel < s.channels;
         channel += static_cast<int>(blockDim.x) * width) {
      float slope[width];
      load(dy + (static_cast<int64_t>(n) * pixels + pixel) * s.channels + channel, slope);
#pragma unroll
      for (int corner = 0; corner < 4; ++corner) {
        if (corners.offset[corner] >= 0) {
          float value[width], dot = 0;
          load(image + corners.offset[corner] + channel, value);
#pragma unroll
          for (int c = 0; c < width; ++c) {
            dot += value[c] * slope[c];
          }
          gx += corners.x_slope(corner) * dot;
          gy += corners.y_slope(corner) * dot;
        }
      }
    }
    const double u = grid_coordinate<float>(j, s.out_width), v = grid_coordinate<float>(i, s.out_height);
    sums[0] += gx * u, sums[1] += gx * v, sums[2] += gx;
    sums[3] += gy * u, sums[4] += gy * v, sums[5] += gy;
  }
  for (int k = 0; k < 6; ++k) {
    double total[1] = {sums[k]};
    sum_over_rows(total, shared);
    if (thread_number() == 0) {
      double all = 0;
      for (unsigned lane = 0; lane < blockDim.x; ++lane) {
        all += shared[lane];
      }
      dtheta[6 * n + k] = static_cast<float>(all * (k < 3 ? s.width : s.height) / 2);
    }
    __syncthreads();
  }
}

}  // namespace

template <class T>
void affine_grid_sample_forward(View<const T> x, View<const float> theta, View<T> y, Stream stream, bool reference) {
  const auto run = [&](auto width) {
    launch(stream, channel_grid("affine_grid_sample", y[0] * y[1] * y[2], y[3], width), forward_kernel<width.value, T>,
           resampled_sizes(x, y), x.data, theta.data, y.data);
  };
  with_width<T>(reference, x[3], run, x.data, y.data);
}

template <class T>
void affine_grid_sample_backward(View<const T> x, View<const float> theta, View<const T> dy, View<T> dx,
                                 View<float> dtheta, Stream stream, bool reference) {
  const ResampledSizes sizes = resampled_sizes(x, dy);
  const auto run = [&](auto width) {
    if (dx.data != nullptr) {
      launch(stream, channel_grid("affine_grid_sample_dx", x[0] * x[1] * x[2], x[3], width),
             reference ? dx_kernel<width.value, true, T> : dx_kernel<width.value, false, T>, sizes, theta.data, dy.data,
             dx.data);
    }
    if (dtheta.data != nullptr) {
      Grid grid = image_grid("affine_grid_sample_dtheta", x[0], x[3], width);
      grid.blocks.y = 1;
      launch(stream, grid, dtheta_kernel<width.value, T>, sizes, x.data, theta.data, dy.data, dtheta.data);
    }
  };
  with_width<T>(reference, x[3], run, x.data, dy.data, dx.data);
}

#define FER_INSTANTIATE(T)                                                                                         \
  template void affine_grid_sample_forward(View<const T>, View<const float>, View<T>, Stream, bool);               \
  template void affine_grid_sample_backward(View<const T>, View<const float>, View<const T>, View<T>, View<float>, \
                                            Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
