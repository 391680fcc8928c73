#include "kernels/channel_sum.h"

#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t channel_block = 64;  // running sums of one block stay in registers or the first-level cache
constexpr int64_t row_block = 32;      // rows added in T before their sum goes into a double

// Each thread's sums begin on a cache line of their own.
int64_t sums_stride(int64_t channels) { return round_up(channels, memory_alignment / int64_t{sizeof(double)}); }

// sums[c] = the sum of x[row][c] over `rows` rows of `channels`.
template <class T>
void sum_rows(const T* x, int64_t rows, int64_t channels, double* sums) {
  std::fill_n(sums, channels, 0.0);
  for (int64_t row = 0; row < rows; row += row_block) {
    const int64_t row_end = std::min(rows, row + row_block);
    for (int64_t channel = 0; channel < channels; channel += channel_block) {
      const int64_t width = std::min(channel_block, channels - channel);
      T block[channel_block] = {};
      for (int64_t r = row; r < row_end; ++r) {
        const T* source = x + r * channels + channel;
        if (width == channel_block) {
#pragma omp simd
          for (int64_t c = 0; c < channel_block; ++c) {
            block[c] += source[c];
          }
        } else {
#pragma omp simd
          for (int64_t c = 0; c < width; ++c) {
            block[c] += source[c];
          }
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        sums[channel + c] += static_cast<double>(block[c]);
      }
    }
  }
}

}  // namespace

int64_t channel_sum_workspace(int64_t channels) {
  return thread_count() * sums_stride(channels) * int64_t{sizeof(double)};
}

template <class T>
void channel_sum(View<const T> x, View<T> y, std::byte* workspace) {
  const int64_t channels = y.size();
  const int64_t rows = x.size() / channels;
  double* const sums = reinterpret_cast<double*>(workspace);
  int parts = 1;
  parallel_parts(rows, 1 + (1 << 14) / channels, [&](int64_t begin, int64_t end, int part) {
    sum_rows(x.data + begin * channels, end - begin, channels, sums + part * sums_stride(channels));
    if (end == rows) {
      parts = part + 1;
    }
  });
  for (int64_t c = 0; c < channels; ++c) {
    double total = 0;
    for (int part = 0; part < parts; ++part) {
      total += sums[part * sums_stride(channels) + c];
    }
    y.data[c] = static_cast<T>(total);
  }
}

template void channel_sum(View<const float>, View<float>, std::byte*);
template void channel_sum(View<const double>, View<double>, std::byte*);

}  // namespace fer
