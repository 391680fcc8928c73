// Where affine sampling reads, for both devices.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace fer {

// Coordinate in [-1, 1] of the centre of output pixel `at` of `count`.
template <class T>
FER_HOST_DEVICE T grid_coordinate(int64_t at, int64_t count) {
  return static_cast<T>(2 * at + 1 - count) / static_cast<T>(count);
}

// The four input pixels about a point, in nw, ne, sw, se order. Arithmetic is in PyTorch's order and, for gradients, in
// its precision, since a point that falls on a pixel's centre up to rounding takes its gradient from one side or the
// other. Results are computed from points in double: in float these would be a millionth of a pixel off, which a
// network behind them makes a hundred times larger.
template <class T>
struct GridSampleCorners {
  // False when every corner lies outside (also for NaN coordinates).
  template <class Position>
  FER_HOST_DEVICE bool find(const T* theta, Position u, Position v, int64_t height, int64_t width, int64_t channels) {
    const Position x = position(theta, u, v, width), y = position(theta + 3, u, v, height);
    if (!(x >= Position(-1) && x < static_cast<Position>(width) && y >= Position(-1) &&
          y < static_cast<Position>(height))) {
      return false;
    }
    const Position left = std::floor(x), top = std::floor(y);
    right_share = static_cast<T>(x - left);
    lower_share = static_cast<T>(y - top);
    const auto column = static_cast<int64_t>(left), row = static_cast<int64_t>(top);
    const bool columns[2] = {column >= 0, column + 1 < width}, rows[2] = {row >= 0, row + 1 < height};
    for (int corner = 0; corner < 4; ++corner) {
      const int right = corner % 2, low = corner / 2;
      offset[corner] = columns[right] && rows[low] ? ((row + low) * width + column + right) * channels : -1;
    }
    return true;
  }

  FER_HOST_DEVICE T weight(int corner) const {
    return (corner % 2 ? right_share : 1 - right_share) * (corner / 2 ? lower_share : 1 - lower_share);
  }
  // d weight / d x and d weight / d y.
  FER_HOST_DEVICE T x_slope(int corner) const {
    return (corner % 2 ? T(1) : T(-1)) * (corner / 2 ? lower_share : 1 - lower_share);
  }
  FER_HOST_DEVICE T y_slope(int corner) const {
    return (corner / 2 ? T(1) : T(-1)) * (corner % 2 ? right_share : 1 - right_share);
  }

  int64_t offset[4];  // in the image; -1 outside
  T right_share, lower_share;

 private:
  // Input pixel that one row of theta maps (u, v, 1) to.
  template <class Position>
  FER_HOST_DEVICE static Position position(const T* theta, Position u, Position v, int64_t size) {
    const Position normalised = std::fma(Position{theta[1]}, v, Position{theta[0]} * u) + Position{theta[2]};
    return std::fma(normalised + 1, static_cast<Position>(size) / 2, Position(-0.5));
  }
};

}  // namespace fer
