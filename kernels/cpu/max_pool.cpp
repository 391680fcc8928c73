#include <algorithm>

#include "kernels/pool.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;  // elements of the smaller image

// Sizes of x (or dx), and of y (or dy and argmax).
struct Sizes {
  int64_t images, height, width, channels, out_height, out_width;
};

template <class X, class Y>
Sizes sizes_of(const View<X>& x, const View<Y>& y) {
  return {x[0], x[1], x[2], x[3], y[1], y[2]};
}

int64_t row_grain(const Sizes& sizes) {
  return std::max<int64_t>(1, grain / std::max<int64_t>(1, sizes.out_width * sizes.channels));
}

// y and argmax of one output pixel whose window begins at (row, column) of `image`, perhaps outside.
template <bool with_argmax, class T>
void max_window(const PoolParams& params, const Sizes& sizes, const T* image, int64_t row, int64_t column, T* y,
                uint8_t* argmax) {
  bool first = true;
  for (int64_t i = std::max<int64_t>(0, -row); i < std::min(params.kernel, sizes.height - row); ++i) {
    for (int64_t j = std::max<int64_t>(0, -column); j < std::min(params.kernel, sizes.width - column); ++j) {
      const T* const x = image + ((row + i) * sizes.width + column + j) * sizes.channels;
      const uint8_t place = static_cast<uint8_t>(i * params.kernel + j);
      if (first) {
        std::copy_n(x, sizes.channels, y);
        if constexpr (with_argmax) {
          std::fill_n(argmax, sizes.channels, place);
        }
        first = false;
        continue;
      }
#pragma omp simd
      for (int64_t c = 0; c < sizes.channels; ++c) {
        const bool larger = (x[c] > y[c]) | (x[c] != x[c]);
        y[c] = larger ? x[c] : y[c];
        if constexpr (with_argmax) {
          argmax[c] = larger ? place : argmax[c];
        }
      }
    }
  }
}

// One row of 2x2 windows side by side; `above` and `below` are the two rows of x under them.
template <bool with_argmax, class T>
void max_row_2x2(const T* above, const T* below, int64_t out_width, int64_t channels, T* y, uint8_t* argmax) {
  for (int64_t column = 0; column < out_width; ++column) {
    const T* const a = above + 2 * column * channels;
    const T* const b = below + 2 * column * channels;
    T* const to = y + column * channels;
    uint8_t* const place = argmax + column * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      T best = a[c];
      int32_t at = 0;
      const T candidates[3] = {a[channels + c], b[c], b[channels + c]};
      bool larger = (candidates[0] > best) | (candidates[0] != candidates[0]);
      best = larger ? candidates[0] : best;
      at = larger ? 1 : at;
      larger = (candidates[1] > best) | (candidates[1] != candidates[1]);
      best = larger ? candidates[1] : best;
      at = larger ? 2 : at;
      larger = (candidates[2] > best) | (candidates[2] != candidates[2]);
      best = larger ? candidates[2] : best;
      at = larger ? 3 : at;
      to[c] = best;
      if constexpr (with_argmax) {
        place[c] = static_cast<uint8_t>(at);
      }
    }
  }
}

template <bool with_argmax, class T>
void max_rows(const PoolParams& params, const Sizes& sizes, const T* x, T* y, uint8_t* argmax, bool side_by_side) {
  const int64_t row_size = sizes.width * sizes.channels;
  const int64_t out_row_size = sizes.out_width * sizes.channels;
  parallel_for(sizes.images * sizes.out_height, row_grain(sizes), [&](int64_t begin, int64_t end) {
    for (int64_t out_row = begin; out_row < end; ++out_row) {
      const T* const image = x + out_row / sizes.out_height * sizes.height * row_size;
      const int64_t row = out_row % sizes.out_height * params.stride - params.padding.top;
      T* const to = y + out_row * out_row_size;
      uint8_t* const place = with_argmax ? argmax + out_row * out_row_size : nullptr;
      if (side_by_side) {
        const T* const above = image + row * row_size;
        max_row_2x2<with_argmax>(above, above + row_size, sizes.out_width, sizes.channels, to, place);
        continue;
      }
      for (int64_t column = 0; column < sizes.out_width; ++column) {
        max_window<with_argmax>(params, sizes, image, row, column * params.stride - params.padding.left,
                                to + column * sizes.channels, place + column * sizes.channels);
      }
    }
  });
}

bool is_2x2_side_by_side(const PoolParams& params) {
  return params.kernel == 2 && params.stride == 2 && params.padding == Padding{};
}

// One row of 2x2 windows: overwrites the two rows of dx under them, and what is left of them to the right.
template <class T>
void spread_row_2x2(const uint8_t* argmax, const T* dy, int64_t out_width, int64_t channels, T* above, T* below,
                    int64_t row_size) {
  for (int64_t column = 0; column < out_width; ++column) {
    const uint8_t* const place = argmax + column * channels;
    const T* const from = dy + column * channels;
    T* const a = above + 2 * column * channels;
    T* const b = below + 2 * column * channels;
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const int32_t at = place[c];
      const T gradient = from[c];
      a[c] = at == 0 ? gradient : T(0);
      a[channels + c] = at == 1 ? gradient : T(0);
      b[c] = at == 2 ? gradient : T(0);
      b[channels + c] = at == 3 ? gradient : T(0);
    }
  }
  std::fill(above + 2 * out_width * channels, above + row_size, T(0));
  std::fill(below + 2 * out_width * channels, below + row_size, T(0));
}

// Row `row` of one image of dx, gathered from every window over it: no two threads write one element.
template <class T>
void gather_row(const PoolParams& params, const Sizes& sizes, const uint8_t* argmax, const T* dy, int64_t row, T* dx) {
  const int64_t channels = sizes.channels;
  std::fill_n(dx, sizes.width * channels, T(0));
  for (int64_t i = 0; i < params.kernel; ++i) {
    const int64_t from_row = row + params.padding.top - i;
    if (from_row < 0 || from_row % params.stride != 0 || from_row / params.stride >= sizes.out_height) {
      continue;
    }
    const int64_t offset = from_row / params.stride * sizes.out_width * channels;
    for (int64_t out_column = 0; out_column < sizes.out_width; ++out_column) {
      const int64_t column = out_column * params.stride - params.padding.left;
      const uint8_t* const place = argmax + offset + out_column * channels;
      const T* const gradient = dy + offset + out_column * channels;
      for (int64_t j = std::max<int64_t>(0, -column); j < std::min(params.kernel, sizes.width - column); ++j) {
        const int32_t here = static_cast<int32_t>(i * params.kernel + j);
        T* const to = dx + (column + j) * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          to[c] += int32_t{place[c]} == here ? gradient[c] : T(0);
        }
      }
    }
  }
}

}  // namespace

template <class T>
void max_pool_forward(const PoolParams& params, View<const T> x, View<T> y, View<uint8_t> argmax, bool reference) {
  const Sizes sizes = sizes_of(x, y);
  const bool side_by_side = !reference && is_2x2_side_by_side(params);
  if (argmax.data != nullptr) {
    max_rows<true>(params, sizes, x.data, y.data, argmax.data, side_by_side);
  } else {
    max_rows<false>(params, sizes, x.data, y.data, argmax.data, side_by_side);
  }
}

template <class T>
void max_pool_backward(const PoolParams& params, View<const uint8_t> argmax, View<const T> dy, View<T> dx,
                       bool reference) {
  const Sizes sizes = sizes_of(dx, dy);
  const int64_t row_size = sizes.width * sizes.channels;
  const int64_t out_row_size = sizes.out_width * sizes.channels;
  const int64_t out_size = sizes.out_height * out_row_size;
  if (reference || !is_2x2_side_by_side(params)) {
    parallel_for(sizes.images * sizes.height, row_grain(sizes), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t image = row / sizes.height * out_size;
        gather_row(params, sizes, argmax.data + image, dy.data + image, row % sizes.height, dx.data + row * row_size);
      }
    });
    return;
  }
  parallel_for(sizes.images * sizes.out_height, row_grain(sizes), [&](int64_t begin, int64_t end) {
    for (int64_t out_row = begin; out_row < end; ++out_row) {
      const int64_t row = 2 * (out_row % sizes.out_height);
      T* const above = dx.data + (out_row / sizes.out_height * sizes.height + row) * row_size;
      spread_row_2x2(argmax.data + out_row * out_row_size, dy.data + out_row * out_row_size, sizes.out_width,
                     sizes.channels, above, above + row_size, row_size);
      if (row + 3 == sizes.height) {
        std::fill_n(above + 2 * row_size, row_size, T(0));
      }
    }
  });
}

#define FER_INSTANTIATE(T)                                                                        \
  template void max_pool_forward(const PoolParams&, View<const T>, View<T>, View<uint8_t>, bool); \
  template void max_pool_backward(const PoolParams&, View<const uint8_t>, View<const T>, View<T>, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
