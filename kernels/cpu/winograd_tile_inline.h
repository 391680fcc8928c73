// The functions of winograd_tile.h, for registers of so many numbers. Every function is a template of that, so that no
// code for one instruction set is ever taken for another's.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_tile.h"

namespace fer {

template <class T, int lanes>
struct WinogradLanes;

template <>
struct WinogradLanes<double, 4> {
  using Vector = __m256d;
  static Vector from_floats(const float* from) { return _mm256_cvtps_pd(_mm_loadu_ps(from)); }
  static void to_floats(float* to, Vector value) { _mm_storeu_ps(to, _mm256_cvtpd_ps(value)); }
  // A NaN stays one.
  static void clamp_to_floats(float* to, Vector value, float low, float high) {
    const __m128 result = _mm_max_ps(_mm_set1_ps(low), _mm256_cvtpd_ps(value));
    _mm_storeu_ps(to, _mm_min_ps(_mm_set1_ps(high), result));
  }
  static Vector load(const double* from) { return _mm256_loadu_pd(from); }
  static void store(double* to, Vector value) { _mm256_storeu_pd(to, value); }
  static Vector fill(double value) { return _mm256_set1_pd(value); }
};

template <>
struct WinogradLanes<float, 8> {
  using Vector = __m256;
  static Vector from_floats(const float* from) { return _mm256_loadu_ps(from); }
  static void to_floats(float* to, Vector value) { _mm256_storeu_ps(to, value); }
  static void clamp_to_floats(float* to, Vector value, float low, float high) {
    const __m256 result = _mm256_max_ps(_mm256_set1_ps(low), value);
    _mm256_storeu_ps(to, _mm256_min_ps(_mm256_set1_ps(high), result));
  }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector value) { _mm256_storeu_ps(to, value); }
  static Vector fill(float value) { return _mm256_set1_ps(value); }
};

#ifdef __AVX512F__
template <>
struct WinogradLanes<double, 8> {
  using Vector = __m512d;
  static Vector from_floats(const float* from) { return _mm512_cvtps_pd(_mm256_loadu_ps(from)); }
  static void to_floats(float* to, Vector value) { _mm256_storeu_ps(to, _mm512_cvtpd_ps(value)); }
  static void clamp_to_floats(float* to, Vector value, float low, float high) {
    const __m256 result = _mm256_max_ps(_mm256_set1_ps(low), _mm512_cvtpd_ps(value));
    _mm256_storeu_ps(to, _mm256_min_ps(_mm256_set1_ps(high), result));
  }
  static Vector load(const double* from) { return _mm512_loadu_pd(from); }
  static void store(double* to, Vector value) { _mm512_storeu_pd(to, value); }
  static Vector fill(double value) { return _mm512_set1_pd(value); }
};

template <>
struct WinogradLanes<float, 16> {
  using Vector = __m512;
  static Vector from_floats(const float* from) { return _mm512_loadu_ps(from); }
  static void to_floats(float* to, Vector value) { _mm512_storeu_ps(to, value); }
  static void clamp_to_floats(float* to, Vector value, float low, float high) {
    const __m512 result = _mm512_max_ps(_mm512_set1_ps(low), value);
    _mm512_storeu_ps(to, _mm512_min_ps(_mm512_set1_ps(high), result));
  }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector value) { _mm512_storeu_ps(to, value); }
  static Vector fill(float value) { return _mm512_set1_ps(value); }
};
#endif

template <int outputs, class T, int lanes>
struct WinogradFunctions {
  using L = WinogradLanes<T, lanes>;
  using V = typename L::Vector;
  using Transform = Winograd<outputs, T>;
  static constexpr int inputs = Transform::inputs;
  static constexpr int64_t panel = 2 * lanes;
  static constexpr bool many_registers = sizeof(V) == 64;
  static constexpr int factors = many_registers ? 8 : 4;

  static void input(const float* const* pixels, int64_t channels, T* v, int64_t plane) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, inputs, inputs>(
          Transform::template input<V>, [&](int i, int j) { return L::from_floats(pixels[i * inputs + j] + c); },
          [&](int i, int j, V value) { L::store(v + (i * inputs + j) * plane + c, value); });
    }
  }

  static void cotangent(const float* const* pixels, int64_t channels, T* d, int64_t plane) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, outputs, inputs>(
          Transform::template cotangent<V>, [&](int i, int j) { return L::from_floats(pixels[i * outputs + j] + c); },
          [&](int i, int j, V value) { L::store(d + (i * inputs + j) * plane + c, value); });
    }
  }

  static void weights(const WinogradWeights& weights, T* u, int64_t plane) {
    for (int64_t o = 0; o < panel; o += lanes) {
      const float* const from = weights.data + o * weights.output_stride;
      transform_rows_and_columns<V, 3, inputs>(
          Transform::template weights<V>,
          [&](int i, int j) {
            const float* const tap = from + (i * 3 + j) * weights.tap_stride;
            V value;
            for (int lane = 0; lane < lanes; ++lane) {
              value[lane] = tap[lane * weights.output_stride];
            }
            return value;
          },
          [&](int i, int j, V value) { L::store(u + (i * inputs + j) * plane + o, value); });
    }
  }

  static void output(const T* m, int64_t plane, int64_t channels, const WinogradResult& result, float* const* pixels) {
    for (int64_t c = 0; c < channels; c += lanes) {
      const V bias = result.bias == nullptr ? V{} : L::from_floats(result.bias + c);
      transform_rows_and_columns<V, inputs, outputs>(
          Transform::template output<V>, [&](int i, int j) { return L::load(m + (i * inputs + j) * plane + c); },
          [&](int i, int j, V value) {
            float* const to = pixels[i * outputs + j];
            if (to != nullptr) {
              const V sum = bias + value + (result.add ? L::from_floats(to + c) : V{});
              L::clamp_to_floats(to + c, sum, result.low, result.high);
            }
          });
    }
  }

  static void weight_gradient(const T* m, int64_t plane, int64_t channels, float* dw, int64_t tap_stride) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, inputs, 3>(
          Transform::template weight_gradient<V>,
          [&](int i, int j) { return L::load(m + (i * inputs + j) * plane + c); },
          [&](int i, int j, V value) { L::to_floats(dw + (i * 3 + j) * tap_stride + c, value); });
    }
  }

  // A register tile of `rows` tiles.
  template <int rows>
  static void multiply_rows(const T* v, int64_t v_row, const T* u, int64_t depth, T* m, int64_t m_row) {
    V low[rows] = {}, high[rows] = {};
    for (int64_t c = 0; c < depth; ++c, u += panel) {
      const V u_low = L::load(u), u_high = L::load(u + lanes);
#pragma GCC unroll 12
      for (int64_t r = 0; r < rows; ++r) {
        const V factor = L::fill(v[r * v_row + c]);
        low[r] += factor * u_low;
        high[r] += factor * u_high;
      }
    }
#pragma GCC unroll 12
    for (int64_t r = 0; r < rows; ++r) {
      L::store(m + r * m_row, low[r]);
      L::store(m + r * m_row + lanes, high[r]);
    }
  }

  static void multiply(const T* v, int64_t v_row, int64_t tiles, const T* u, int64_t depth, T* m, int64_t m_row) {
    constexpr int few = winograd_tiles;
    int64_t t = 0;
    if constexpr (many_registers) {
      for (; t + 2 * few <= tiles; t += 2 * few) {
        multiply_rows<2 * few>(v + t * v_row, v_row, u, depth, m + t * m_row, m_row);
      }
    }
    for (; t < tiles; t += few) {
      multiply_rows<few>(v + t * v_row, v_row, u, depth, m + t * m_row, m_row);
    }
  }

  static void add_products(const T* d, int64_t d_row, const T* v, int64_t v_row, int64_t tiles, bool first, T* sums,
                           int64_t sums_row) {
    V low[factors] = {}, high[factors] = {};
    for (int64_t r = 0; r < factors; ++r) {
      __builtin_prefetch(sums + r * sums_row, 1);
      __builtin_prefetch(sums + r * sums_row + lanes, 1);
    }
    for (int64_t t = 0; t < tiles; ++t, d += d_row, v += v_row) {
      const V v_low = L::load(v), v_high = L::load(v + lanes);
#pragma GCC unroll 8
      for (int64_t r = 0; r < factors; ++r) {
        const V factor = L::fill(d[r]);
        low[r] += factor * v_low;
        high[r] += factor * v_high;
      }
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < factors; ++r) {
      T* const to = sums + r * sums_row;
      L::store(to, first ? low[r] : L::load(to) + low[r]);
      L::store(to + lanes, first ? high[r] : L::load(to + lanes) + high[r]);
    }
  }

  static constexpr WinogradTile<T> functions() {
    return {panel, factors, input, cotangent, weights, output, weight_gradient, multiply, add_products};
  }
};

}  // namespace fer
