#include <cmath>

#include "kernels/batch_norm.h"
#include "kernels/cpu/batch_norm_rows.h"

namespace fer {

using namespace batch_norm_rows;

namespace {

// dz from dy and the centred x; the forward pass computes z by the same formula.
template <Activation activation, class T>
__attribute__((always_inline)) inline T pre_activation_gradient(T dy, T centred, T scale, T beta) {
  if constexpr (activation == Activation::identity) {
    return dy;
  } else {
    return dy * activation_slope<activation>(centred * scale + beta);
  }
}

// workspace.first = sum of dz (x - mean), workspace.second = sum of dz. `keep`: every dz is left in `kept`, which may
// be dy's place.
template <bool keep, class T>
void sum_gradients(Activation activation, View<const T> dy, const Pieces<const T>& x, const T* mean, const T* scale,
                   const T* beta, int64_t channels, Workspace<T>& workspace, T* kept) {
  const int64_t rows = x.rows;
  with_activation(activation, [&](auto f) {
    parallel_parts(rows, row_grain(channels), [&](int64_t begin, int64_t end, int part) {
      Workspace<T> own = workspace;
      const PartSums<T> sums = own.part(part, channels);
      std::fill_n(sums.first, channels, 0.0);
      std::fill_n(sums.second, channels, 0.0);
      for (; begin < end; begin += block_rows) {
        for (int i = 0; i < x.count; ++i) {
          const int64_t from = x.first[i], start = begin * channels + from;
          const T* const value = x.data[i] + begin * x.channels(i);
          const T* const slope = dy.data + start;
          T* const place = keep ? kept + start : nullptr;
          const T *const centre = mean + from, *const factor = scale + from, *const shift = beta + from;
          const PartSums<T> piece = sums.from(from);
          with_width(x.channels(i), [&](auto width) {
            with_widest_registers([&]() __attribute__((always_inline)) {
              sum_block(
                  std::min(block_rows, end - begin), width, piece.block_first, piece.block_second,
                  [=](int64_t row, int64_t c, T & first, T & second) __attribute__((always_inline)) {
                    const int64_t at = row * channels + c;
                    const T centred = value[row * width + c] - centre[c];
                    const T dz = pre_activation_gradient<decltype(f)::value>(slope[at], centred, factor[c], shift[c]);
                    if constexpr (keep) {
                      place[at] = dz;
                    }
                    first += dz * centred;
                    second += dz;
                  });
            });
          });
        }
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
          sums.first[c] += sums.block_first[c];
          sums.second[c] += sums.block_second[c];
        }
      }
    });
  });
  const int parts = part_count(rows, channels);
  std::fill_n(workspace.first, channels, 0.0);
  std::fill_n(workspace.second, channels, 0.0);
  for (int part = 0; part < parts; ++part) {
    const PartSums<T> sums = workspace.part(part, channels);
    for (int64_t c = 0; c < channels; ++c) {
      workspace.first[c] += sums.first[c];
      workspace.second[c] += sums.second[c];
    }
  }
}

// dx = value(position in dy, channel, x) + added where `before`, which made x, did not clamp it, else 0.
template <class T, class Value>
void store_gradients(Activation before, const Pieces<const T>& x, int64_t channels, View<const T> added, View<T> dx,
                     Value value) {
  const auto store = [&](auto clamped) {
    const ClampRange range = *clamp_range(before);
    for_pieces_backwards(x, channels, [=](auto width, int64_t first, const T* from, int64_t begin, int64_t end) {
      const int64_t count = width, step = added.data == nullptr ? 0 : added[-1];
      with_widest_registers([=]() __attribute__((always_inline)) {
        const auto kept = [=](T x, T gradient) __attribute__((always_inline)) {
          return !clamped || (x > T(range.low) && x < T(range.high)) ? gradient : T(0);
        };
        const T *x = from, *other = added.data == nullptr ? nullptr : added.data + begin * step + first;
        int64_t at = begin * channels + first;
        for (int64_t row = begin; row < end; ++row, at += channels, x += count, other += step) {
          T* const to = dx.data + at;
          if (added.data == nullptr) {
#pragma omp simd
            for (int64_t c = 0; c < count; ++c) {
              to[c] = kept(x[c], value(at + c, first + c, x[c]));
            }
          } else {
#pragma omp simd
            for (int64_t c = 0; c < count; ++c) {
              to[c] = kept(x[c], value(at + c, first + c, x[c]) + other[c]);
            }
          }
        }
      });
    });
  };
  before == Activation::identity ? store(std::false_type()) : store(std::true_type());
}

}  // namespace

template <class T>
void batch_norm_training_backward(Activation activation, Activation before, View<const T> dy, Pieces<const T> x,
                                  View<const T> mean, View<const T> inverse_std, View<const T> gamma,
                                  View<const T> beta, View<const T> added, View<T> dx, View<T> dgamma, View<T> dbeta,
                                  std::byte* memory) {
  const int64_t channels = gamma.size();
  Workspace<T> workspace(memory, channels);
  for (int64_t c = 0; c < channels; ++c) {
    workspace.scale[c] = inverse_std.data[c] * gamma.data[c];
  }
  // A slope that takes an exponential is worked out once only.
  const bool keep = dx.data != nullptr && !clamp_range(activation).has_value();
  if (keep) {
    sum_gradients<true>(activation, dy, x, mean.data, workspace.scale, beta.data, channels, workspace, dx.data);
  } else {
    sum_gradients<false, T>(activation, dy, x, mean.data, workspace.scale, beta.data, channels, workspace, nullptr);
  }
  for (int64_t c = 0; c < channels; ++c) {
    const double inverse = inverse_std.data[c];
    const double share = inverse * gamma.data[c] / static_cast<double>(x.rows);
    workspace.slope[c] = static_cast<T>(-share * inverse * inverse * workspace.first[c]);
    workspace.constant[c] = static_cast<T>(-share * workspace.second[c]);
    if (dgamma.data != nullptr) {
      dgamma.data[c] = static_cast<T>(inverse * workspace.first[c]);
    }
    if (dbeta.data != nullptr) {
      dbeta.data[c] = static_cast<T>(workspace.second[c]);
    }
  }
  if (dx.data == nullptr) {
    return;
  }
  const T* const from = keep ? dx.data : dy.data;
  with_activation(keep ? Activation::identity : activation, [&](auto f) {
    const T *const centre = mean.data, *const scale = workspace.scale, *const shift = beta.data;
    const T *const slope = workspace.slope, *const constant = workspace.constant;
    store_gradients(
        before, x, channels, added, dx, [=](int64_t at, int64_t c, T value) __attribute__((always_inline)) {
          const T centred = value - centre[c];
          const T dz = pre_activation_gradient<f.value>(from[at], centred, scale[c], shift[c]);
          return dz * scale[c] + (centred * slope[c] + constant[c]);
        });
  });
}

template <class T>
void batch_norm_inference_backward(const BatchNormParams& params, Activation activation, Activation before,
                                   View<const T> dy, Pieces<const T> x, View<const T> gamma, View<const T> beta,
                                   View<const T> running_mean, View<const T> running_var, View<const T> added,
                                   View<T> dx, View<T> dgamma, View<T> dbeta, std::byte* memory) {
  const int64_t channels = gamma.size();
  Workspace<T> workspace(memory, channels);
  const T* const mean = running_mean.data;
  for (int64_t c = 0; c < channels; ++c) {
    workspace.scale[c] = static_cast<T>(gamma.data[c] / std::sqrt(running_var.data[c] + params.epsilon));
  }
  if (dgamma.data != nullptr || dbeta.data != nullptr) {
    sum_gradients<false, T>(activation, dy, x, mean, workspace.scale, beta.data, channels, workspace, nullptr);
    for (int64_t c = 0; c < channels; ++c) {
      if (dgamma.data != nullptr) {
        dgamma.data[c] = static_cast<T>(workspace.first[c] / std::sqrt(running_var.data[c] + params.epsilon));
      }
      if (dbeta.data != nullptr) {
        dbeta.data[c] = static_cast<T>(workspace.second[c]);
      }
    }
  }
  if (dx.data == nullptr) {
    return;
  }
  with_activation(activation, [&](auto f) {
    const T *const from = dy.data, *const scale = workspace.scale, *const shift = beta.data;
    store_gradients(
        before, x, channels, added, dx, [=](int64_t at, int64_t c, T value) __attribute__((always_inline)) {
          if constexpr (f.value == Activation::identity) {
            return from[at] * scale[c];
          } else {
            return scale[c] * pre_activation_gradient<f.value>(from[at], value - mean[c], scale[c], shift[c]);
          }
        });
  });
}

#define FER_INSTANTIATE(T)                                                                                          \
  template void batch_norm_training_backward(Activation, Activation, View<const T>, Pieces<const T>, View<const T>, \
                                             View<const T>, View<const T>, View<const T>, View<const T>, View<T>,   \
                                             View<T>, View<T>, std::byte*);                                         \
  template void batch_norm_inference_backward(const BatchNormParams&, Activation, Activation, View<const T>,        \
                                              Pieces<const T>, View<const T>, View<const T>, View<const T>,         \
                                              View<const T>, View<const T>, View<T>, View<T>, View<T>, std::byte*);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
