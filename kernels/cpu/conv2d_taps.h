// How a convolution's windows lie over an image.
#pragma once

#include <algorithm>

#include "kernels/conv2d.h"

namespace fer {

// Taps first … last - 1 of a kernel that fall inside the image when the window begins at `start`.
struct TapRange {
  int64_t first, last;
  TapRange(int64_t start, int64_t kernel, int64_t in)
      : first(std::max<int64_t>(0, -start)), last(std::max(first, std::min(kernel, in - start))) {}
  int64_t count() const { return last - first; }
};

// Calls body(output pixel, offset into x, offset into one filter, length) for every row of taps of image n that lies
// inside the image: such a row is contiguous in x and in the filter, over columns and channels alike.
template <class Body>
void for_tap_rows(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y, int64_t n, Body&& body) {
  const int64_t channels = x[3];
  const int64_t kernel_rows = w[1];
  const int64_t kernel_columns = w[2];
  for (int64_t oh = 0; oh < y[1]; ++oh) {
    const int64_t top = oh * params.stride - params.padding.top;
    const TapRange rows(top, kernel_rows, x[1]);
    for (int64_t ow = 0; ow < y[2]; ++ow) {
      const int64_t left = ow * params.stride - params.padding.left;
      const TapRange columns(left, kernel_columns, x[2]);
      const int64_t length = columns.count() * channels;
      for (int64_t kh = rows.first; kh < rows.last; ++kh) {
        body((n * y[1] + oh) * y[2] + ow, ((n * x[1] + top + kh) * x[2] + left + columns.first) * channels,
             (kh * kernel_columns + columns.first) * channels, length);
      }
    }
  }
}

}  // namespace fer
