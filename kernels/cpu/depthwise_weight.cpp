// Depthwise weight gradient: dw[kh,kw,c] = sum over n, oh, ow of dy[n,oh,ow,c] x[n,oh s + kh - top,ow s + kw - left,c].
// One row of taps of a block of channels stays in registers while rows of images that fit into the cache go by.
#include <algorithm>

#include "kernels/cpu/lanes.h"
#include "kernels/depthwise.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t cached_bytes = 256 << 10;  // of x and dy read once for each row of taps: well inside the L2 cache

template <class T>
struct Images {
  View<const T> x, dy;
  int64_t top, left;
};

// Adds rows begin … end - 1 (of all images' output rows) to the partial sums of row `kh` of taps, `count` registers of
// channels from c on. `known_width`: of small images that keep their size, so that rows unroll; 0 for all others.
template <class T, int kernel, int stride, int known_width, class Lanes, int count>
inline void add_rows(const Images<T>& images, int64_t begin, int64_t end, int64_t kh, int64_t c, T* partial) {
  using Vector = typename Lanes::Vector;
  const int64_t height = images.x[1], width = images.x[2], channels = images.x[3];
  const int64_t out_height = images.dy[1], out_width = images.dy[2];
  // Outputs inner_begin … inner_end - 1 have all their taps inside the image.
  const int64_t inner_begin = std::min(out_width, (images.left + stride - 1) / stride);
  const int64_t fitting = width - kernel + images.left;
  const int64_t inner_end = std::max(inner_begin, std::min(out_width, fitting < 0 ? 0 : fitting / stride + 1));

  Vector sum[kernel][count];
  T* const target = partial + kh * kernel * channels + c;
#pragma GCC unroll 8
  for (int k = 0; k < kernel; ++k) {
#pragma GCC unroll 4
    for (int v = 0; v < count; ++v) {
      sum[k][v] = Lanes::load(target + k * channels + v * Lanes::width);
    }
  }
  int64_t image = begin / out_height, out_row = begin % out_height;
  for (int64_t row = begin; row < end; ++row, ++out_row) {
    if (out_row == out_height) {
      out_row = 0;
      ++image;
    }
    const int64_t image_row = out_row * stride + kh - images.top;
    if (image_row < 0 || image_row >= height) {
      continue;
    }
    const T* dy = images.dy.data + row * out_width * channels + c;
    const T* const x_row = images.x.data + (image * height + image_row) * width * channels + c;
    if constexpr (known_width > 0) {
#pragma GCC unroll 8
      for (int ow = 0; ow < known_width; ++ow) {
#pragma GCC unroll 4
        for (int v = 0; v < count; ++v) {
          const Vector cotangent = Lanes::load(dy + ow * channels + v * Lanes::width);
#pragma GCC unroll 8
          for (int k = 0; k < kernel; ++k) {
            const int column = ow + k - kernel / 2;
            if (column >= 0 && column < known_width) {
              sum[k][v] += cotangent * Lanes::load(x_row + column * channels + v * Lanes::width);
            }
          }
        }
      }
      continue;
    }
    const auto at_edge = [&](int64_t ow) __attribute__((always_inline)) {
      const int64_t first = ow * stride - images.left;
#pragma GCC unroll 8
      for (int k = 0; k < kernel; ++k) {
        if (first + k >= 0 && first + k < width) {
#pragma GCC unroll 4
          for (int v = 0; v < count; ++v) {
            sum[k][v] +=
                Lanes::load(dy + v * Lanes::width) * Lanes::load(x_row + (first + k) * channels + v * Lanes::width);
          }
        }
      }
      dy += channels;
    };
    for (int64_t ow = 0; ow < inner_begin; ++ow) {
      at_edge(ow);
    }
    const T* x = x_row + (inner_begin * stride - images.left) * channels;
    for (int64_t ow = inner_begin; ow < inner_end; ++ow) {
      Vector cotangent[count];
#pragma GCC unroll 4
      for (int v = 0; v < count; ++v) {
        cotangent[v] = Lanes::load(dy + v * Lanes::width);
      }
#pragma GCC unroll 8
      for (int k = 0; k < kernel; ++k) {
#pragma GCC unroll 4
        for (int v = 0; v < count; ++v) {
          sum[k][v] += cotangent[v] * Lanes::load(x + k * channels + v * Lanes::width);
        }
      }
      dy += channels;
      x += stride * channels;
    }
    for (int64_t ow = inner_end; ow < out_width; ++ow) {
      at_edge(ow);
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kernel; ++k) {
#pragma GCC unroll 4
    for (int v = 0; v < count; ++v) {
      Lanes::store(target + k * channels + v * Lanes::width, sum[k][v]);
    }
  }
}

// Rows of partial sums of one thread begin on a cache line of their own.
int64_t partial_bytes(int64_t weight_bytes) { return round_up(weight_bytes, memory_alignment); }

template <class T, int kernel, int stride, int known_width>
void backward_weight(const Images<T>& images, View<T> dw, std::byte* workspace) {
  const int64_t channels = images.x[3];
  const int64_t rows = images.dy[0] * images.dy[1];
  const int64_t row_bytes = (images.dy[2] + stride * images.x[2]) * channels * int64_t{sizeof(T)};
  const int64_t rows_at_once = std::max<int64_t>(1, cached_bytes / row_bytes);
  const int64_t partial_size = partial_bytes(dw.size() * int64_t{sizeof(T)}) / int64_t{sizeof(T)};
  T* const partials = reinterpret_cast<T*>(workspace);
  int parts = 1;
  parallel_parts(rows, 1 + (1 << 15) / row_bytes, [&](int64_t begin, int64_t end, int part) {
    T* const partial = partials + part * partial_size;
    std::fill_n(partial, dw.size(), T(0));
    // Asks for some channels of the rows from `row` on.
    const auto ask_for = [&](int64_t row, int64_t channel, int64_t count) {
      const int64_t asked = std::min(rows_at_once, end - row);
      const T* dy = images.dy.data + row * images.dy[2] * channels + channel;
      for (int64_t pixel = 0; pixel < asked * images.dy[2]; ++pixel, dy += channels) {
        prefetch(dy, count);
      }
      const int64_t first = row / images.dy[1] * images.x[1] + row % images.dy[1] * stride;
      const T* x = images.x.data + first * images.x[2] * channels + channel;
      for (int64_t pixel = 0; pixel < asked * stride * images.x[2]; ++pixel, x += channels) {
        prefetch(x, count);
      }
    };
    ask_for(begin, 0, channels);
    for (int64_t row = begin; row < end; row += rows_at_once) {
      const int64_t row_end = std::min(end, row + rows_at_once);
      for_channel_blocks<T, kernel == 3 ? 4 : 2>(channels, [&]<class Lanes, int count>(int64_t c) {
        if (row_end < end) {
          ask_for(row_end, c, count * Lanes::width);
        }
        for (int64_t kh = 0; kh < dw[0]; ++kh) {
          add_rows<T, kernel, stride, known_width, Lanes, count>(images, row, row_end, kh, c, partial);
        }
      });
    }
    if (end == rows) {
      parts = part + 1;
    }
  });
  for (int64_t i = 0; i < dw.size(); ++i) {
    T total = partials[i];
    for (int part = 1; part < parts; ++part) {
      total += partials[part * partial_size + i];
    }
    dw.data[i] = total;
  }
}

template <class T, int kernel>
void backward_weight(const Images<T>& images, View<T> dw, std::byte* workspace) {
  const bool keeps_width = images.x[2] == images.dy[2] && images.left == kernel / 2;
  switch (keeps_width ? images.x[2] : 0) {
    case 2:
      return backward_weight<T, kernel, 1, 2>(images, dw, workspace);
    case 3:
      return backward_weight<T, kernel, 1, 3>(images, dw, workspace);
    case 5:
      return backward_weight<T, kernel, 1, 5>(images, dw, workspace);
    case 6:
      return backward_weight<T, kernel, 1, 6>(images, dw, workspace);
    default:
      return backward_weight<T, kernel, 1, 0>(images, dw, workspace);
  }
}

}  // namespace

int64_t depthwise_weight_workspace(int64_t weight_bytes) { return thread_count() * partial_bytes(weight_bytes); }

template <class T>
void depthwise_backward_weight(const Conv2dParams& params, View<const T> x, View<const T> dy, View<T> dw,
                               std::byte* workspace) {
  const Images<T> images{x, dy, params.padding.top, params.padding.left};
  const int64_t kernel = dw[1];
  if (kernel == 3 && params.stride == 1) {
    backward_weight<T, 3>(images, dw, workspace);
  } else if (kernel == 3 && params.stride == 2) {
    backward_weight<T, 3, 2, 0>(images, dw, workspace);
  } else if (kernel == 5 && params.stride == 1) {
    backward_weight<T, 5>(images, dw, workspace);
  } else if (kernel == 5 && params.stride == 2) {
    backward_weight<T, 5, 2, 0>(images, dw, workspace);
  } else {
    depthwise_backward_weight_plain(params, x, dy, dw);
  }
}

template void depthwise_backward_weight(const Conv2dParams&, View<const float>, View<const float>, View<float>,
                                        std::byte*);
template void depthwise_backward_weight(const Conv2dParams&, View<const double>, View<const double>, View<double>,
                                        std::byte*);

}  // namespace fer
