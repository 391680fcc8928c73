#include "kernels/batch_norm.h"

#include <cmath>

#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/lanes.h"

namespace fer {

using namespace batch_norm_rows;

namespace {

// Lets sums.first = mean and sums.second = sum of squared deviations from it, of `begin` rows, take in a block of rows
// more. Each block is summed about its first row, so nothing cancels however large the mean is (at worst a factor of
// block_rows in the rounding error of the variance); blocks are merged by the update of Chan, Golub and LeVeque (1979).
template <class T, class Width>
void block_statistics(const T* x, int64_t begin, int64_t rows, Width width, const PartSums<T>& sums) {
  const int64_t channels = width;
  with_widest_registers([&]() __attribute__((always_inline)) {
    sum_block(
        rows, width, sums.block_first,
        sums.block_second, [=](int64_t row, int64_t c, T & first, T & second) __attribute__((always_inline)) {
          const T deviation = x[row * channels + c] - x[c];
          first += deviation;
          second += deviation * deviation;
        });
  });
  const double count = static_cast<double>(rows);
  const double weight = count / static_cast<double>(begin + rows);
  const double between = static_cast<double>(begin) * weight;
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const double sum = sums.block_first[c];
    const double offset = sum / count;
    const double delta = x[c] + offset - sums.first[c];
    sums.first[c] += delta * weight;
    sums.second[c] += sums.block_second[c] - sum * offset + delta * delta * between;
  }
}

// workspace.first = mean, workspace.second = sum of squared deviations, over all rows.
template <class T>
void statistics(const Pieces<const T>& x, int64_t channels, Workspace<T>& workspace) {
  const int64_t rows = x.rows;
  parallel_parts(rows, row_grain(channels), [&](int64_t begin, int64_t end, int part) {
    Workspace<T> own = workspace;
    const PartSums<T> sums = own.part(part, channels);
    std::fill_n(sums.first, channels, 0.0);
    std::fill_n(sums.second, channels, 0.0);
    for (int i = 0; i < x.count; ++i) {
      with_width(x.channels(i), [&](auto width) {
        for (int64_t row = begin; row < end; row += block_rows) {
          block_statistics(x.data[i] + row * width, row - begin, std::min(block_rows, end - row), width,
                           sums.from(x.first[i]));
        }
      });
    }
  });
  const int parts = part_count(rows, channels);
  double* const mean = workspace.first;
  double* const squares = workspace.second;
  for (int part = 0; part < parts; ++part) {
    const PartSums<T> sums = workspace.part(part, channels);
    const int64_t begin = rows * part / parts;
    const int64_t end = rows * (part + 1) / parts;
    const double weight = static_cast<double>(end - begin) / static_cast<double>(end);
    const double between = static_cast<double>(begin) * weight;
    for (int64_t c = 0; c < channels; ++c) {
      const double delta = part == 0 ? 0.0 : sums.first[c] - mean[c];
      mean[c] = part == 0 ? sums.first[c] : mean[c] + delta * weight;
      squares[c] = (part == 0 ? 0.0 : squares[c]) + sums.second[c] + delta * delta * between;
    }
  }
}

constexpr int64_t most_streamed = 1024;  // channels

// y = f((x - mean) scale + beta + residual)
template <class T>
void normalise(Activation activation, const Pieces<const T>& x, const T* mean, const T* scale, const T* beta,
               View<const T> residual, View<T> y, int64_t channels) {
  const bool streamed = y.size() * int64_t{sizeof(T)} >= least_streamed_bytes && channels <= most_streamed &&
                        y.data != x.data[0] && y.data != residual.data;
  with_activation(activation, [&](auto f) {
    for_pieces_backwards(x, channels, [=](auto width, int64_t first, const T* from, int64_t begin, int64_t end) {
      const T *const centre = mean + first, *const slope = scale + first, *const shift = beta + first;
      const int64_t count = width;
      alignas(memory_alignment) T made[most_streamed];
      with_widest_registers([ =, &made ]() __attribute__((always_inline)) {
        const T* x = from;
        int64_t at = begin * channels + first;
        for (int64_t row = begin; row < end; ++row, at += channels, x += count) {
          T* const to = streamed ? made : y.data + at;
          const T* const other = residual.data + at;
          if (residual.data == nullptr) {
#pragma omp simd
            for (int64_t c = 0; c < count; ++c) {
              to[c] = activation_value<f.value>((x[c] - centre[c]) * slope[c] + shift[c]);
            }
          } else {
#pragma omp simd
            for (int64_t c = 0; c < count; ++c) {
              to[c] = activation_value<f.value>((x[c] - centre[c]) * slope[c] + shift[c] + other[c]);
            }
          }
          if (streamed) {
            stream(made, count, y.data + at);
          }
        }
      });
      finish_streaming();
    });
  });
}

}  // namespace

template <class T>
int64_t batch_norm_workspace_bytes(int64_t channels) {
  return Workspace<T>(nullptr, channels).bytes_for(thread_count());
}

template <class T>
void batch_norm_training(const BatchNormParams& params, Activation activation, Pieces<const T> x, View<const T> gamma,
                         View<const T> beta, View<const T> residual, View<T> running_mean, View<T> running_var,
                         View<T> y, View<T> mean, View<T> inverse_std, std::byte* memory) {
  const int64_t channels = gamma.size();
  const int64_t rows = x.rows;
  Workspace<T> workspace(memory, channels);
  statistics(x, channels, workspace);
  for (int64_t c = 0; c < channels; ++c) {
    const double batch_mean = workspace.first[c];
    const double squares = workspace.second[c];
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(rows) + params.epsilon);
    workspace.mean[c] = static_cast<T>(batch_mean);
    workspace.scale[c] = static_cast<T>(inverse) * gamma.data[c];
    if (mean.data != nullptr) {
      mean.data[c] = static_cast<T>(batch_mean);
    }
    if (inverse_std.data != nullptr) {
      inverse_std.data[c] = static_cast<T>(inverse);
    }
    const double unbiased = squares / static_cast<double>(rows - 1);
    T& old_mean = running_mean.data[c];
    T& old_var = running_var.data[c];
    old_mean = static_cast<T>((1 - params.momentum) * old_mean + params.momentum * batch_mean);
    old_var = static_cast<T>((1 - params.momentum) * old_var + params.momentum * unbiased);
  }
  if (y.data != nullptr) {
    normalise(activation, x, workspace.mean, workspace.scale, beta.data, residual, y, channels);
  }
}

template <class T>
void batch_norm_inference(const BatchNormParams& params, Activation activation, Pieces<const T> x, View<const T> gamma,
                          View<const T> beta, View<const T> residual, View<const T> running_mean,
                          View<const T> running_var, View<T> y, std::byte* memory) {
  const int64_t channels = gamma.size();
  Workspace<T> workspace(memory, channels);
  for (int64_t c = 0; c < channels; ++c) {
    workspace.scale[c] = static_cast<T>(gamma.data[c] / std::sqrt(running_var.data[c] + params.epsilon));
  }
  normalise(activation, x, running_mean.data, workspace.scale, beta.data, residual, y, channels);
}

template <class T>
void batch_norm_again(Activation activation, Pieces<const T> x, View<const T> gamma, View<const T> beta,
                      View<const T> residual, View<const T> mean, View<const T> inverse_std, View<T> y,
                      std::byte* memory) {
  const int64_t channels = gamma.size();
  Workspace<T> workspace(memory, channels);
  for (int64_t c = 0; c < channels; ++c) {
    workspace.scale[c] = inverse_std.data[c] * gamma.data[c];
  }
  normalise(activation, x, mean.data, workspace.scale, beta.data, residual, y, channels);
}

#define FER_INSTANTIATE(T)                                                                                             \
  template int64_t batch_norm_workspace_bytes<T>(int64_t);                                                             \
  template void batch_norm_training(const BatchNormParams&, Activation, Pieces<const T>, View<const T>, View<const T>, \
                                    View<const T>, View<T>, View<T>, View<T>, View<T>, View<T>, std::byte*);           \
  template void batch_norm_inference(const BatchNormParams&, Activation, Pieces<const T>, View<const T>,               \
                                     View<const T>, View<const T>, View<const T>, View<const T>, View<T>, std::byte*); \
  template void batch_norm_again(Activation, Pieces<const T>, View<const T>, View<const T>, View<const T>,             \
                                 View<const T>, View<const T>, View<T>, std::byte*);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
