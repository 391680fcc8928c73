#include <algorithm>
#include <utility>

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

// The same for a window that lies inside the image, kept in registers; x is its corner.
template <int kernel, bool with_argmax, class T>
void max_inside(const T* x, int64_t row_size, int64_t channels, T* y, uint8_t* argmax) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    T best = x[c];
    int32_t place = 0;
    [&]<int... i>(std::integer_sequence<int, i...>) {
      const auto consider = [&](int at) __attribute__((always_inline)) {
        const T value = x[at / kernel * row_size + at % kernel * channels + c];
        const bool larger = (value > best) | (value != value);
        best = larger ? value : best;
        place = larger ? at : place;
      };
      (consider(i + 1), ...);
    }
    (std::make_integer_sequence<int, kernel * kernel - 1>{});
    y[c] = best;
    if constexpr (with_argmax) {
      argmax[c] = static_cast<uint8_t>(place);
    }
  }
}

template <bool with_argmax, class T>
void max_rows(const PoolParams& params, const Sizes& sizes, const T* x, T* y, uint8_t* argmax, bool reference) {
  const int64_t row_size = sizes.width * sizes.channels;
  parallel_for(sizes.images * sizes.out_height, row_grain(sizes), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * sizes.out_width; at < end * sizes.out_width; ++at) {
      const int64_t out_row = at / sizes.out_width;
      const T* const image = x + out_row / sizes.out_height * sizes.height * row_size;
      const int64_t row = out_row % sizes.out_height * params.stride - params.padding.top;
      const int64_t column = at % sizes.out_width * params.stride - params.padding.left;
      T* const to = y + at * sizes.channels;
      uint8_t* const place = with_argmax ? argmax + at * sizes.channels : nullptr;
      const bool inside = !reference && row >= 0 && column >= 0 && row + params.kernel <= sizes.height &&
                          column + params.kernel <= sizes.width;
      const T* const corner = image + row * row_size + column * sizes.channels;
      if (inside && params.kernel == 2) {
        max_inside<2, with_argmax>(corner, row_size, sizes.channels, to, place);
      } else if (inside && params.kernel == 3) {
        max_inside<3, with_argmax>(corner, row_size, sizes.channels, to, place);
      } else {
        max_window<with_argmax>(params, sizes, image, row, column, to, place);
      }
    }
  });
}

// Row `row` of one image of dx, gathered from every window over it: no two threads write one element. `tiled`: windows
// lie side by side, so that nothing need be added up.
template <bool tiled, class T>
void gather_row(const PoolParams& params, const Sizes& sizes, const uint8_t* argmax, const T* dy, int64_t row, T* dx) {
  const int64_t channels = sizes.channels;
  const bool covered = tiled && row / params.stride < sizes.out_height;
  std::fill(dx + (covered ? sizes.out_width * params.stride * channels : 0), dx + sizes.width * channels, T(0));
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
          const T share = int32_t{place[c]} == here ? gradient[c] : T(0);
          to[c] = tiled ? share : to[c] + share;
        }
      }
    }
  }
}

}  // namespace

template <class T>
void max_pool_forward(const PoolParams& params, View<const T> x, View<T> y, View<uint8_t> argmax, bool reference) {
  const Sizes sizes = sizes_of(x, y);
  if (argmax.data != nullptr) {
    max_rows<true>(params, sizes, x.data, y.data, argmax.data, reference);
  } else {
    max_rows<false>(params, sizes, x.data, y.data, argmax.data, reference);
  }
}

template <class T>
void max_pool_backward(const PoolParams& params, View<const uint8_t> argmax, View<const T> dy, View<T> dx,
                       bool reference) {
  const Sizes sizes = sizes_of(dx, dy);
  const int64_t out_size = sizes.out_height * sizes.out_width * sizes.channels;
  const bool tiled = !reference && params.kernel == params.stride && params.padding == Padding{};
  parallel_for(sizes.images * sizes.height, row_grain(sizes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* const place = argmax.data + row / sizes.height * out_size;
      const T* const from = dy.data + row / sizes.height * out_size;
      T* const to = dx.data + row * sizes.width * sizes.channels;
      if (tiled) {
        gather_row<true>(params, sizes, place, from, row % sizes.height, to);
      } else {
        gather_row<false>(params, sizes, place, from, row % sizes.height, to);
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
