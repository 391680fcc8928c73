#include "kernels/pixels.h"

#include <algorithm>
#include <cstring>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;

// Rows a thread should at least copy.
int64_t rows_per_grain(int64_t row_bytes) { return std::max<int64_t>(1, grain / std::max<int64_t>(1, row_bytes)); }

}  // namespace

template <class T>
void decode_pixels(View<const uint8_t> x, View<T> y) {
  parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      y.data[i] = static_cast<T>(x.data[i]) / T(255);
    }
  });
}

void gather_rows(AnyView table, View<const int32_t> indices, AnyView y) {
  const int64_t rows = table.shape[0], count = indices.size();
  const int64_t row_bytes = count == 0 ? 0 : y.bytes() / count;
  const auto* source = static_cast<const std::byte*>(table.data);
  auto* target = static_cast<std::byte*>(y.data);
  parallel_for(count, rows_per_grain(row_bytes), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t index = indices.data[n];
      if (index >= 0 && index < rows) {
        std::memcpy(target + n * row_bytes, source + index * row_bytes, static_cast<size_t>(row_bytes));
      } else {
        std::memset(target + n * row_bytes, 0, static_cast<size_t>(row_bytes));
      }
    }
  });
}

template <class T>
void replicate_channels_forward(View<const T> x, View<T> y) {
  const int64_t channels = y[-1];
  parallel_for(x.size(), grain, [&](int64_t begin, int64_t end) {
    if (channels == 3) {  // grey to RGB, the only common case
      for (int64_t i = begin; i < end; ++i) {
        y.data[3 * i] = y.data[3 * i + 1] = y.data[3 * i + 2] = x.data[i];
      }
      return;
    }
    for (int64_t i = begin; i < end; ++i) {
      std::fill_n(y.data + i * channels, channels, x.data[i]);
    }
  });
}

template <class T>
void replicate_channels_backward(View<const T> dy, View<T> dx) {
  const int64_t channels = dy[-1];
  parallel_for(dx.size(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T sum = 0;
      for (int64_t c = 0; c < channels; ++c) {
        sum += dy.data[i * channels + c];
      }
      dx.data[i] = sum;
    }
  });
}

template <class T>
void expand_pixel_candidates(View<const T> x, View<const int32_t> pixels, View<const T> values, View<T> y) {
  const int64_t candidates = y[0], height = x[1], width = x[2], channels = x[3], image = height * width * channels;
  const int64_t per_image = candidates / x[0], per_candidate = pixels.size() / (2 * candidates);
  parallel_for(candidates, rows_per_grain(image * static_cast<int64_t>(sizeof(T))), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      T* result = y.data + m * image;
      std::copy_n(x.data + m / per_image * image, image, result);
      for (int64_t p = m * per_candidate; p < (m + 1) * per_candidate; ++p) {
        const int64_t row = pixels.data[2 * p], column = pixels.data[2 * p + 1];
        if (row >= 0 && row < height && column >= 0 && column < width) {
          std::copy_n(values.data + p * channels, channels, result + (row * width + column) * channels);
        }
      }
    }
  });
}

template <class T>
void patch_windows(View<const T> x, View<const T> windows, View<const int32_t> from, View<const int32_t> to,
                   View<T> y) {
  const int64_t height = x[1], width = x[2], channels = x[3], per_image = y[0] / x[0];
  parallel_for(y[0] * y[1], rows_per_grain(y[2] * channels * static_cast<int64_t>(sizeof(T))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) {
                   const int64_t i = line / y[1];
                   const int64_t row = to.data[2 * i] + line % y[1], first = to.data[2 * i + 1];
                   const int64_t window_row = row - from.data[2 * i];
                   T* const out = y.data + line * y[2] * channels;
                   // Columns first … first + y[2] - 1 of the image's row, then the window's over them.
                   const auto copy = [&](const T* source, int64_t source_first, int64_t source_width) {
                     const int64_t left = std::max(first, source_first);
                     const int64_t right = std::min(first + y[2], source_first + source_width);
                     if (left < right) {
                       std::copy_n(source + (left - source_first) * channels, (right - left) * channels,
                                   out + (left - first) * channels);
                     }
                   };
                   if (row < 0 || row >= height || first < 0 || first + y[2] > width) {
                     std::fill_n(out, y[2] * channels, T(0));
                   }
                   if (row >= 0 && row < height) {
                     copy(x.data + (i / per_image * height + row) * width * channels, 0, width);
                   }
                   if (window_row >= 0 && window_row < windows[1]) {
                     copy(windows.data + (i * windows[1] + window_row) * windows[2] * channels, from.data[2 * i + 1],
                          windows[2]);
                   }
                 }
               });
}

#define FER_INSTANTIATE(T)                                                                           \
  template void decode_pixels(View<const uint8_t>, View<T>);                                         \
  template void replicate_channels_forward(View<const T>, View<T>);                                  \
  template void replicate_channels_backward(View<const T>, View<T>);                                 \
  template void expand_pixel_candidates(View<const T>, View<const int32_t>, View<const T>, View<T>); \
  template void patch_windows(View<const T>, View<const T>, View<const int32_t>, View<const int32_t>, View<T>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
