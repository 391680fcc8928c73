#include <algorithm>

#include "kernels/pool.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;

int64_t grain_for(int64_t elements_each) { return std::max<int64_t>(1, grain / std::max<int64_t>(1, elements_each)); }

int64_t doubles_per_part(int64_t channels) {
  return round_up(channels, memory_alignment / static_cast<int64_t>(sizeof(double)));
}

}  // namespace

template <class T>
void average_pool_forward(const PoolParams& params, View<const T> x, View<T> y) {
  const int64_t height = x[1], width = x[2], channels = x[3], out_height = y[1], out_width = y[2];
  const T share = T(1) / static_cast<T>(params.kernel * params.kernel);
  parallel_for(x[0] * out_height, grain_for(width * channels), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * out_width; at < end * out_width; ++at) {
      const int64_t row = at / out_width;
      const T* const corner = x.data + ((row / out_height * height + row % out_height * params.stride) * width +
                                        at % out_width * params.stride) *
                                           channels;
      T* const to = y.data + at * channels;
      std::fill_n(to, channels, T(0));
      for (int64_t i = 0; i < params.kernel * params.kernel; ++i) {
        const T* const from = corner + (i / params.kernel * width + i % params.kernel) * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          to[c] += from[c];
        }
      }
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        to[c] *= share;
      }
    }
  });
}

template <class T>
void average_pool_backward(const PoolParams& params, View<const T> dy, View<T> dx) {
  const int64_t height = dx[1], width = dx[2], channels = dx[3], out_height = dy[1], out_width = dy[2];
  const T share = T(1) / static_cast<T>(params.kernel * params.kernel);
  // Each row of dx is gathered from the windows over it, so that no two threads write one element.
  parallel_for(dx[0] * height, grain_for(width * channels), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* const to_row = dx.data + row * width * channels;
      std::fill_n(to_row, width * channels, T(0));
      for (int64_t i = 0; i < params.kernel; ++i) {
        const int64_t from_row = row % height - i;
        if (from_row < 0 || from_row % params.stride != 0 || from_row / params.stride >= out_height) {
          continue;
        }
        const int64_t out_row = row / height * out_height + from_row / params.stride;
        for (int64_t out_column = 0; out_column < out_width; ++out_column) {
          const T* const from = dy.data + (out_row * out_width + out_column) * channels;
          for (int64_t j = 0; j < params.kernel; ++j) {
            T* const to = to_row + (out_column * params.stride + j) * channels;
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
              to[c] += from[c] * share;
            }
          }
        }
      }
    }
  });
}

int64_t global_average_pool_workspace_bytes(int64_t channels) {
  return thread_count() * doubles_per_part(channels) * static_cast<int64_t>(sizeof(double));
}

template <class T>
void global_average_pool_forward(View<const T> x, View<T> y, std::byte* workspace) {
  const int64_t pixels = x[1] * x[2], channels = x[3];
  parallel_parts(x[0], grain_for(pixels * channels), [&](int64_t begin, int64_t end, int part) {
    double* const total = reinterpret_cast<double*>(workspace) + part * doubles_per_part(channels);
    for (int64_t image = begin; image < end; ++image) {
      const T* from = x.data + image * pixels * channels;
      std::fill_n(total, channels, 0.0);
      int64_t pixel = 0;
      for (; pixel + 4 <= pixels; pixel += 4, from += 4 * channels) {
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          total[c] += (from[c] + from[channels + c]) + (from[2 * channels + c] + from[3 * channels + c]);
        }
      }
      for (; pixel < pixels; ++pixel, from += channels) {
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          total[c] += from[c];
        }
      }
      for (int64_t c = 0; c < channels; ++c) {
        y.data[image * channels + c] = static_cast<T>(total[c] / static_cast<double>(pixels));
      }
    }
  });
}

template <class T>
void global_average_pool_backward(View<const T> dy, View<T> dx) {
  const int64_t pixels = dx[1] * dx[2], channels = dx[3];
  const T share = T(1) / static_cast<T>(pixels);
  parallel_for(dx[0] * pixels, grain_for(channels), [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const T* const from = dy.data + pixel / pixels * channels;
      T* const to = dx.data + pixel * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        to[c] = from[c] * share;
      }
    }
  });
}

#define FER_INSTANTIATE(T)                                                        \
  template void average_pool_forward(const PoolParams&, View<const T>, View<T>);  \
  template void average_pool_backward(const PoolParams&, View<const T>, View<T>); \
  template void global_average_pool_forward(View<const T>, View<T>, std::byte*);  \
  template void global_average_pool_backward(View<const T>, View<T>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
