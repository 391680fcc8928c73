#include "kernels/scale_channels.h"

#include <algorithm>

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
void scale_channels_forward(View<const T> x, View<const T> s, View<T> y) {
  const int64_t pixels = x[1] * x[2], channels = x[3];
  parallel_for(x[0] * pixels, grain_for(channels), [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const T* const factor = s.data + pixel / pixels * channels;
      const T* const from = x.data + pixel * channels;
      T* const to = y.data + pixel * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; ++c) {
        to[c] = from[c] * factor[c];
      }
    }
  });
}

int64_t scale_channels_workspace_bytes(int64_t channels) {
  return thread_count() * doubles_per_part(channels) * static_cast<int64_t>(sizeof(double));
}

template <class T>
void scale_channels_backward(View<const T> dy, View<const T> x, View<const T> s, View<T> dx, View<T> ds,
                             std::byte* workspace) {
  if (ds.data == nullptr) {
    scale_channels_forward(dy, s, dx);
    return;
  }
  const int64_t pixels = x[1] * x[2], channels = x[3];
  parallel_parts(x[0], grain_for(pixels * channels), [&](int64_t begin, int64_t end, int part) {
    double* const total = reinterpret_cast<double*>(workspace) + part * doubles_per_part(channels);
    for (int64_t image = begin; image < end; ++image) {
      std::fill_n(total, channels, 0.0);
      const T* const factor = s.data + image * channels;
      for (int64_t pixel = image * pixels; pixel < (image + 1) * pixels; ++pixel) {
        const T* const slope = dy.data + pixel * channels;
        const T* const value = x.data + pixel * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          total[c] += slope[c] * value[c];
        }
        if (dx.data != nullptr) {
          T* const to = dx.data + pixel * channels;
#pragma omp simd
          for (int64_t c = 0; c < channels; ++c) {
            to[c] = slope[c] * factor[c];
          }
        }
      }
      for (int64_t c = 0; c < channels; ++c) {
        ds.data[image * channels + c] = static_cast<T>(total[c]);
      }
    }
  });
}

#define FER_INSTANTIATE(T)                                                     \
  template void scale_channels_forward(View<const T>, View<const T>, View<T>); \
  template void scale_channels_backward(View<const T>, View<const T>, View<const T>, View<T>, View<T>, std::byte*);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
