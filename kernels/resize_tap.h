// Where bilinear resizing reads, for both devices.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/host_device.h"

namespace fer {

// The two input pixels of one output pixel along one axis.
template <class T>
struct ResizeTap {
  // Positions in double: in float, those far from the origin would cost the shares digits.
  FER_HOST_DEVICE ResizeTap(int64_t at, double step, int64_t input) {
    const double position = std::max((static_cast<double>(at) + 0.5) * step - 0.5, 0.0);
    low = std::min(static_cast<int64_t>(position), input - 1);
    high = std::min(low + 1, input - 1);
    high_share = static_cast<T>(position - static_cast<double>(low));
    low_share = 1 - high_share;
  }

  int64_t low, high;
  T low_share, high_share;
};

FER_HOST_DEVICE inline double resize_step(int64_t input, int64_t output) {
  return static_cast<double>(input) / static_cast<double>(output);
}

}  // namespace fer
