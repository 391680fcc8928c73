// Forward and data gradient. Every output pixel is a sum over the taps inside the image; a register holds 32 bytes of
// channels, and away from the left and right edges a strip of neighbouring pixels shares each loaded x and w.
#include "kernels/depthwise.h"

#include <algorithm>

#include "kernels/cpu/conv2d_taps.h"
#include "kernels/cpu/lanes.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

// A window of taps: where the first one reads, and how far apart the next row and column are, in elements.
template <class T>
struct Window {
  const T* source;
  int64_t source_row, source_column;
  const T* weight;
  int64_t weight_row, weight_column;
  int64_t rows, columns;
};

// Every element of a register brought into the range; NaN stays.
template <class Vector, class T>
inline Vector clamped(Vector value, T low, T high) {
  value = value < low ? Vector{} + low : value;
  return value > high ? Vector{} + high : value;
}

// out[c] = bias[c] + the sum over the window of source[c] weight[c], clamped, for all channels of one pixel.
template <class T>
void pixel(const Window<T> window, const T* bias, ClampRange range, T* out, int64_t channels) {
  const T least = range.low, most = range.high;
  for_channel_blocks<T, 4>(
      channels, [=]<class Lanes, int count>(int64_t c) __attribute__((always_inline)) {
        typename Lanes::Vector sum[count] = {};
        if (bias != nullptr) {
#pragma GCC unroll 4
          for (int v = 0; v < count; ++v) {
            sum[v] = Lanes::load(bias + c + v * Lanes::width);
          }
        }
        for (int64_t row = 0; row < window.rows; ++row) {
          const T* source = window.source + row * window.source_row + c;
          const T* weight = window.weight + row * window.weight_row + c;
          for (int64_t column = 0; column < window.columns; ++column) {
#pragma GCC unroll 4
            for (int v = 0; v < count; ++v) {
              sum[v] += Lanes::load(source + v * Lanes::width) * Lanes::load(weight + v * Lanes::width);
            }
            source += window.source_column;
            weight += window.weight_column;
          }
        }
#pragma GCC unroll 4
        for (int v = 0; v < count; ++v) {
          Lanes::store(out + c + v * Lanes::width, clamped(sum[v], least, most));
        }
      });
}

// `strip_columns` neighbouring pixels whose windows lie between the left and right edges. Two registers of each pixel's
// sums and of each weight of a row of taps at a time. Every loop but that over rows is unrolled, or the sums would live
// in memory.
constexpr int strip_columns = 4;

template <class T, int64_t kernel, int64_t stride>
void strip(const Window<T>& given, const T* bias, ClampRange range, T* out, int64_t channels) {
  const T least = range.low, most = range.high;
  constexpr int columns = strip_columns;
  const Window<T> window = given;  // a copy that stores to `out` cannot change
  for_channel_blocks<T, 2>(
      channels, [=]<class Lanes, int count>(int64_t c) __attribute__((always_inline)) {
        using Vector = typename Lanes::Vector;
        Vector sum[columns][count] = {};
        if (bias != nullptr) {
#pragma GCC unroll 8
          for (int column = 0; column < columns; ++column) {
#pragma GCC unroll 2
            for (int v = 0; v < count; ++v) {
              sum[column][v] = Lanes::load(bias + c + v * Lanes::width);
            }
          }
        }
        for (int64_t row = 0; row < window.rows; ++row) {
          const T* const source = window.source + row * window.source_row + c;
          const T* const weights = window.weight + row * window.weight_row + c;
          Vector weight[kernel][count];
#pragma GCC unroll 8
          for (int64_t tap = 0; tap < kernel; ++tap) {
#pragma GCC unroll 2
            for (int v = 0; v < count; ++v) {
              weight[tap][v] = Lanes::load(weights + tap * channels + v * Lanes::width);
            }
          }
#pragma GCC unroll 32
          for (int64_t position = 0; position < (columns - 1) * stride + kernel; ++position) {
#pragma GCC unroll 2
            for (int v = 0; v < count; ++v) {
              const Vector x = Lanes::load(source + position * channels + v * Lanes::width);
#pragma GCC unroll 8
              for (int64_t tap = position % stride; tap < kernel; tap += stride) {
                const int64_t column = (position - tap) / stride;
                if (position >= tap && column < columns) {
                  sum[column][v] += x * weight[tap][v];
                }
              }
            }
          }
        }
#pragma GCC unroll 8
        for (int column = 0; column < columns; ++column) {
#pragma GCC unroll 2
          for (int v = 0; v < count; ++v) {
            Lanes::store(out + column * channels + c + v * Lanes::width, clamped(sum[column][v], least, most));
          }
        }
      });
}

template <class T>
using Strip = void (*)(const Window<T>& window, const T* bias, ClampRange range, T* out, int64_t channels);

// The strip for this kernel and stride; null where there is none.
template <class T>
Strip<T> find_strip(int64_t kernel, int64_t stride) {
  if (kernel == 3 && stride <= 2) {
    return stride == 1 ? strip<T, 3, 1> : strip<T, 3, 2>;
  }
  if (kernel == 5 && stride <= 2) {
    return stride == 1 ? strip<T, 5, 1> : strip<T, 5, 2>;
  }
  return nullptr;
}

// Rows of output worth a thread.
int64_t row_grain(int64_t row_elements) { return 1 + (1 << 14) / row_elements; }

}  // namespace

template <class T>
void depthwise_forward(const Conv2dParams& params, View<const T> x, View<const T> w, View<const T> b, View<T> y,
                       Activation activation) {
  const ClampRange range = *clamp_range(activation);
  const int64_t height = x[1], width = x[2], channels = x[3];
  const int64_t kernel_rows = w[0], kernel_columns = w[1];
  const int64_t out_height = y[1], out_width = y[2];
  const int64_t stride = params.stride;
  const Strip<T> strip = find_strip<T>(kernel_columns, stride);
  parallel_for(x[0] * out_height, row_grain(out_width * channels), [&](int64_t begin, int64_t end) {
    for (int64_t out_row = begin; out_row < end; ++out_row) {
      const int64_t top = out_row % out_height * stride - params.padding.top;
      const TapRange rows(top, kernel_rows, height);
      const T* const image_row = x.data + (out_row / out_height * height + top + rows.first) * width * channels;
      T* const out = y.data + out_row * out_width * channels;
      for (int64_t ow = 0; ow < out_width;) {
        const int64_t left = ow * stride - params.padding.left;
        const TapRange columns(left, kernel_columns, width);
        const Window<T> window{image_row + (left + columns.first) * channels,
                               width * channels,
                               channels,
                               w.data + (rows.first * kernel_columns + columns.first) * channels,
                               kernel_columns * channels,
                               channels,
                               rows.count(),
                               columns.count()};
        const bool inside = left >= 0 && left + (strip_columns - 1) * stride + kernel_columns <= width;
        if (strip != nullptr && inside && ow + strip_columns <= out_width) {
          // What the next row of output needs beyond this one, and where the next strip goes.
          for (int64_t row = 0; row < stride; ++row) {
            prefetch(window.source + (rows.count() + row) * width * channels, strip_columns * stride * channels);
          }
          prefetch(out + (ow + strip_columns) * channels, strip_columns * channels);
          strip(window, b.data, range, out + ow * channels, channels);
          ow += strip_columns;
        } else {
          pixel(window, b.data, range, out + ow * channels, channels);
          ++ow;
        }
      }
    }
  });
}

namespace {

// In one dimension, the taps that reach input `at` with stride s: kernel indices first, first + s, …, read outputs
// from, from - 1, ….
struct ReachingTaps {
  int64_t first, from, count;
  ReachingTaps(int64_t at, int64_t before, int64_t kernel, int64_t stride, int64_t out) {
    const int64_t shifted = at + before;
    const int64_t skipped = std::max<int64_t>(0, shifted / stride - (out - 1));  // windows beyond the last output
    first = shifted % stride + skipped * stride;
    from = shifted / stride - skipped;
    count = first < kernel ? std::min((kernel - first + stride - 1) / stride, from + 1) : 0;
  }
};

}  // namespace

template <class T>
void depthwise_backward_data(const Conv2dParams& params, View<const T> w, View<const T> dy, View<T> dx,
                             std::byte* workspace) {
  const int64_t kernel_rows = w[0], kernel_columns = w[1], channels = w[2];
  const int64_t stride = params.stride;
  if (stride == 1) {
    // The data gradient of a convolution with stride 1 is a convolution with the filters turned by half a circle.
    T* const turned = reinterpret_cast<T*>(workspace);
    for (int64_t tap = 0; tap < kernel_rows * kernel_columns; ++tap) {
      std::copy_n(w.data + tap * channels, channels, turned + (kernel_rows * kernel_columns - 1 - tap) * channels);
    }
    Conv2dParams transposed;  // the right and bottom paddings follow from the extents
    transposed.padding.top = kernel_rows - 1 - params.padding.top;
    transposed.padding.left = kernel_columns - 1 - params.padding.left;
    depthwise_forward<T>(transposed, dy, {turned, w.shape}, {}, dx);
    return;
  }
  const int64_t height = dx[1], width = dx[2];
  const int64_t out_height = dy[1], out_width = dy[2];
  const ClampRange range = *clamp_range(Activation::identity);
  parallel_for(dx[0] * height, row_grain(width * channels), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const ReachingTaps rows(row % height, params.padding.top, kernel_rows, stride, out_height);
      for (int64_t column = 0; column < width; ++column) {
        const ReachingTaps columns(column, params.padding.left, kernel_columns, stride, out_width);
        const int64_t source = (row / height * out_height + rows.from) * out_width + columns.from;
        pixel<T>({dy.data + source * channels, -out_width * channels, -channels,
                  w.data + (rows.first * kernel_columns + columns.first) * channels, stride * kernel_columns * channels,
                  stride * channels, rows.count, columns.count},
                 nullptr, range, dx.data + (row * width + column) * channels, channels);
      }
    }
  });
}

template void depthwise_forward(const Conv2dParams&, View<const float>, View<const float>, View<const float>,
                                View<float>, Activation);
template void depthwise_forward(const Conv2dParams&, View<const double>, View<const double>, View<const double>,
                                View<double>, Activation);
template void depthwise_backward_data(const Conv2dParams&, View<const float>, View<const float>, View<float>,
                                      std::byte*);
template void depthwise_backward_data(const Conv2dParams&, View<const double>, View<const double>, View<double>,
                                      std::byte*);

}  // namespace fer
