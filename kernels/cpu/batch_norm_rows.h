// What the forward and backward passes of batch normalisation share: their workspace and their loops over rows.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/activation_inline.h"
#include "kernels/batch_norm.h"
#include "kernels/cpu/widest.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer::batch_norm_rows {

constexpr int64_t grain = 1 << 14;  // elements

constexpr int64_t block_rows = 64;  // rows whose sums are kept in T before they join the double sums

// One thread's double sums and its current block's.
template <class T>
struct PartSums {
  double* first;
  double* second;
  T* block_first;
  T* block_second;

  PartSums from(int64_t channel) const {
    return {first + channel, second + channel, block_first + channel, block_second + channel};
  }
};

// Rows below which another thread is not worth starting, and how many parts parallel_parts makes of them.
inline int64_t row_grain(int64_t channels) { return std::max<int64_t>(1, grain / channels); }
inline int part_count(int64_t rows, int64_t channels) {
  return static_cast<int>(std::min<int64_t>(std::max<int64_t>(1, rows / row_grain(channels)), thread_count()));
}

// The workspace, cut up.
template <class T>
struct Workspace {
  Workspace(std::byte* memory, int64_t channels) : memory_(memory) {
    mean = take<T>(channels);
    scale = take<T>(channels);
    constant = take<T>(channels);
    slope = take<T>(channels);
    first = take<double>(channels);
    second = take<double>(channels);
    parts_ = bytes_;
    take<double>(channels), take<double>(channels), take<T>(channels), take<T>(channels);
    part_bytes_ = bytes_ - parts_;
  }

  PartSums<T> part(int part, int64_t channels) {
    bytes_ = parts_ + part * part_bytes_;
    return {take<double>(channels), take<double>(channels), take<T>(channels), take<T>(channels)};
  }

  int64_t bytes_for(int parts) const { return parts_ + parts * part_bytes_; }

  T *mean, *scale, *constant, *slope;
  double *first, *second;

 private:
  template <class U>
  U* take(int64_t count) {
    U* const result = memory_ == nullptr ? nullptr : reinterpret_cast<U*>(memory_ + bytes_);
    bytes_ += aligned_bytes<U>(count);
    return result;
  }

  std::byte* memory_;
  int64_t bytes_ = 0, parts_ = 0, part_bytes_ = 0;
};

// first[c] and second[c] = sums over `rows` rows of what term(row, c, first, second) adds for each element.
template <class T, class Width, class Term>
__attribute__((always_inline)) inline void sum_block(int64_t rows, Width width, T* first, T* second, Term term) {
  const int64_t channels = width;
  std::fill_n(first, channels, T(0));
  std::fill_n(second, channels, T(0));
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      T a = 0, b = 0;
      term(row, c, a, b);
      term(row + 1, c, a, b);
      term(row + 2, c, a, b);
      term(row + 3, c, a, b);
      first[c] += a;
      second[c] += b;
    }
  }
  for (; row < rows; ++row) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      term(row, c, first[c], second[c]);
    }
  }
}

// Calls body(begin, end) for pieces of rows, each thread's last rows first: after a pass over the data they are the
// ones still in the cache.
template <class Body>
void for_rows_backwards(int64_t rows, int64_t channels, Body body) {
  parallel_for(rows, row_grain(channels), [&](int64_t begin, int64_t end) {
    for (; end > begin; end -= block_rows) {
      body(std::max(begin, end - block_rows), end);
    }
  });
}

// body(width), as a constant where it is what a layer of a dense block adds: loops so short want to be unrolled.
template <class Body>
void with_width(int64_t width, Body body) {
  if (width == 32) {
    body(std::integral_constant<int64_t, 32>());
  } else {
    body(width);
  }
}

// Calls body(width, first channel, x of row `begin`, begin, end) for pieces and pieces of rows, each thread's last rows
// first.
template <class T, class Body>
void for_pieces_backwards(const Pieces<const T>& x, int64_t channels, Body body) {
  for_rows_backwards(x.rows, channels, [&](int64_t begin, int64_t end) {
    for (int i = 0; i < x.count; ++i) {
      with_width(x.channels(i), [&](auto width) { body(width, x.first[i], x.data[i] + begin * width, begin, end); });
    }
  });
}

// Rows begin … end - 1 of f((x - mean) scale + beta), one after the other in `y`. On the calling thread.
template <class T>
void normalise_rows(Activation activation, const Pieces<const T>& x, const T* mean, const T* scale, const T* beta,
                    int64_t begin, int64_t end, T* y, int64_t channels) {
  with_activation(activation, [&](auto f) {
    for (int i = 0; i < x.count; ++i) {
      const int64_t first = x.first[i];
      with_width(x.channels(i), [&](auto width) {
        const T *const centre = mean + first, *const slope = scale + first, *const shift = beta + first;
        with_widest_registers([&]() __attribute__((always_inline)) {
          const int64_t count = width;
          const T* from = x.data[i] + begin * count;
          T* to = y + first;
          for (int64_t row = begin; row < end; ++row, from += count, to += channels) {
#pragma omp simd
            for (int64_t c = 0; c < count; ++c) {
              to[c] = activation_value<f.value>((from[c] - centre[c]) * slope[c] + shift[c]);
            }
          }
        });
      });
    }
  });
}

}  // namespace fer::batch_norm_rows
