// The functions of winograd_tile.h, for registers of so many numbers. Every function is a template of that, so that no
// code for one instruction set is ever taken for another's.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_tile.h"

namespace fer {

template <int lanes>
struct WinogradLanes;

template <>
struct WinogradLanes<8> {
  using Vector = __m256;
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector value) { _mm256_storeu_ps(to, value); }
  static void stream(float* to, Vector value) { store(to, value); }  // only whole lines are worth it
  static Vector fill(float value) { return _mm256_set1_ps(value); }
  // A NaN stays one.
  static Vector clamp(Vector value, float low, float high) {
    return _mm256_min_ps(fill(high), _mm256_max_ps(fill(low), value));
  }
  // Of `value` and what is the largest so far; a NaN is.
  static Vector larger(Vector value, Vector so_far) {
    const Vector nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    return _mm256_blendv_ps(so_far, value, _mm256_or_ps(nan, _mm256_cmp_ps(value, so_far, _CMP_GT_OQ)));
  }
};

#ifdef __AVX512F__
template <>
struct WinogradLanes<16> {
  using Vector = __m512;
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector value) { _mm512_storeu_ps(to, value); }
  static void stream(float* to, Vector value) { _mm512_stream_ps(to, value); }  // past the caches; `to` begins a line
  static Vector fill(float value) { return _mm512_set1_ps(value); }
  static Vector clamp(Vector value, float low, float high) {
    return _mm512_min_ps(fill(high), _mm512_max_ps(fill(low), value));
  }
  static Vector larger(Vector value, Vector so_far) {
    const auto nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    return _mm512_mask_mov_ps(so_far, nan | _mm512_cmp_ps_mask(value, so_far, _CMP_GT_OQ), value);
  }
};
#endif

template <int outputs, int taps, int lanes>
struct WinogradFunctions {
  using L = WinogradLanes<lanes>;
  using V = typename L::Vector;
  using Transform = Winograd<outputs, taps>;
  static constexpr int inputs = Transform::inputs, points = Transform::points;
  static constexpr int64_t panel = 2 * lanes;
  static constexpr bool many_registers = sizeof(V) == 64;
  static constexpr int factors = many_registers ? 8 : 4;
  static constexpr int64_t chunk = winograd_chunk;
  static_assert(winograd_channels % chunk == 0);

  static void input(const float* const* pixels, int64_t channels, float* v, int64_t plane) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, inputs, points>(
          Transform::template input<V>, [&](int i, int j) { return L::load(pixels[i * inputs + j] + c); },
          [&](int i, int j, V value) { L::store(v + (i * points + j) * plane + c, value); });
    }
  }

  static void cotangent(const float* const* pixels, int64_t channels, float* d, int64_t plane) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, outputs, points>(
          Transform::template cotangent<V>, [&](int i, int j) { return L::load(pixels[i * outputs + j] + c); },
          [&](int i, int j, V value) { L::store(d + (i * points + j) * plane + c, value); });
    }
  }

  static void weights(const WinogradWeights& weights, bool shared, float* u, int64_t plane) {
    alignas(64) float g[taps * taps][winograd_channels][panel];
    for (int64_t tap = 0; tap < taps * taps; ++tap) {
      const float* const from = weights.data + tap * weights.tap_stride;
      if (weights.output_stride == 1) {
        for (int64_t c = 0; c < winograd_channels; ++c) {
          for (int64_t o = 0; o < panel; o += lanes) {
            L::store(&g[tap][c][o], L::load(from + c * weights.input_stride + o));
          }
        }
      } else {
        // The rows lie far apart: what the next call will want of them is asked for early.
        for (int64_t o = 0; o < panel; ++o) {
          prefetch(from + o * weights.output_stride + winograd_channels, winograd_channels);
        }
        for (int64_t o = 0; o < panel; o += 8) {
          for (int64_t c = 0; c < winograd_channels; c += 8) {
            transpose(from + o * weights.output_stride + c, weights.output_stride, &g[tap][c][o], panel);
          }
        }
      }
    }
    for (int64_t c = 0; c < winograd_channels; ++c) {
      for (int64_t o = 0; o < panel; o += lanes) {
        transform_rows_and_columns<V, taps, points>(
            Transform::template weights<V>, [&](int i, int j) { return L::load(&g[i * taps + j][c][o]); },
            [&](int i, int j, V value) {
              float* const to = u + (i * points + j) * plane + c * panel + o;
              shared ? L::stream(to, value) : L::store(to, value);
            });
      }
    }
    finish_streaming();
  }

  // Eight rows of eight floats become columns.
  static void transpose(const float* from, int64_t from_row, float* to, int64_t to_row) {
    __m256 a[8], b[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      a[i] = _mm256_loadu_ps(from + i * from_row);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
      a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      _mm256_storeu_ps(to + i * to_row, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
      _mm256_storeu_ps(to + (i + 4) * to_row, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
  }

  static void output(const float* m, int64_t plane, int64_t channels, const WinogradResult& result,
                     float* const* pixels) {
    if (result.pooled) {
      output_as<outputs % 2 == 0>(m, plane, channels, result, pixels);
    } else {
      output_as<false>(m, plane, channels, result, pixels);
    }
  }

  template <bool pooled>
  static void output_as(const float* m, int64_t plane, int64_t channels, const WinogradResult& result,
                        float* const* pixels) {
    for (int64_t c = 0; c < channels; c += lanes) {
      const V bias = result.bias == nullptr ? V{} : L::load(result.bias + c);
      const bool normalised = result.mean != nullptr;
      const V mean = normalised ? L::load(result.mean + c) : V{},
              factor = normalised ? L::load(result.factor + c) : V{},
              beta = normalised ? L::load(result.beta + c) : V{};
      transform_rows_and_columns<V, points, outputs>(
          Transform::template output<V>, [&](int i, int j) { return L::load(m + (i * points + j) * plane + c); },
          [&](int i, int j, V value) {
            float* const to = pixels[pooled ? i / 2 * (outputs / 2) + j / 2 : i * outputs + j];
            if (to == nullptr) {
              return;
            }
            const V sum = bias + value + (!pooled && result.add ? L::load(to + c) : V{});
            V made = L::clamp(sum, result.low, result.high);
            if (normalised) {
              made = (made - mean) * factor + beta;
            }
            if (pooled && (i % 2 == 1 || j % 2 == 1)) {
              made = L::larger(made, L::load(to + c));
            }
            result.streamed && !pooled ? L::stream(to + c, made) : L::store(to + c, made);
          });
    }
  }

  static void weight_gradient(const float* m, int64_t plane, int64_t channels, float* dw, int64_t tap_stride) {
    const bool whole_lines = reinterpret_cast<uintptr_t>(dw) % 64 == 0;
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_rows_and_columns<V, points, taps>(
          Transform::template weight_gradient<V>,
          [&](int i, int j) { return L::load(m + (i * points + j) * plane + c); },
          [&](int i, int j, V value) {
            float* const to = dw + (i * taps + j) * tap_stride + c;
            whole_lines ? L::stream(to, value) : L::store(to, value);
          });
    }
    finish_streaming();
  }

  // A register tile of `rows` tiles. Their rows are reached from two of them by way of one stride and its multiples: of
  // twelve pointers the compiler would keep some in vector registers, and fetch them from there for every product.
  template <int rows>
  static void multiply_rows(const float* v, int64_t v_row, const float* u, int64_t depth, float* m, int64_t m_row) {
    static_assert(rows == 6 || rows == 12);
    int64_t by_three = 3 * v_row, by_five = 5 * v_row;
    const float* sixth = v + 6 * v_row;
    for (int64_t begin = 0; begin < depth; begin += chunk) {
      V low[rows] = {}, high[rows] = {};
      for (const float* const end = u + chunk * panel; u < end; u += panel, ++v, ++sixth) {
        asm("" : "+r"(by_three), "+r"(by_five), "+r"(sixth));  // hides that they are multiples
        const V u_low = L::load(u), u_high = L::load(u + lanes);
#pragma GCC unroll 12
        for (int r = 0; r < rows; ++r) {
          const float* const from = r < 6 ? v : sixth;
          const int64_t row[] = {0, v_row, 2 * v_row, by_three, 4 * v_row, by_five};
          const V factor = L::fill(from[row[r % 6]]);
          low[r] += factor * u_low;
          high[r] += factor * u_high;
        }
      }
#pragma GCC unroll 12
      for (int64_t r = 0; r < rows; ++r) {
        float* const to = m + r * m_row;
        L::store(to, begin == 0 ? low[r] : L::load(to) + low[r]);
        L::store(to + lanes, begin == 0 ? high[r] : L::load(to + lanes) + high[r]);
      }
    }
  }

  static void multiply(const float* v, int64_t v_row, int64_t tiles, const float* u, int64_t depth, float* m,
                       int64_t m_row) {
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

  static void add_products(const float* d, int64_t d_row, const float* v, int64_t v_row, int64_t tiles, bool first,
                           float* sums, int64_t sums_row) {
    for (int64_t r = 0; r < factors; ++r) {
      __builtin_prefetch(sums + r * sums_row, 1);
      __builtin_prefetch(sums + r * sums_row + lanes, 1);
    }
    for (int64_t begin = 0; begin < tiles; begin += chunk) {
      V low[factors] = {}, high[factors] = {};
      const int64_t end = begin + chunk < tiles ? begin + chunk : tiles;
      for (int64_t t = begin; t < end; ++t, d += d_row, v += v_row) {
        const V v_low = L::load(v), v_high = L::load(v + lanes);
#pragma GCC unroll 8
        for (int64_t r = 0; r < factors; ++r) {
          const V factor = L::fill(d[r]);
          low[r] += factor * v_low;
          high[r] += factor * v_high;
        }
      }
      const bool overwrite = first && begin == 0;
#pragma GCC unroll 8
      for (int64_t r = 0; r < factors; ++r) {
        float* const to = sums + r * sums_row;
        L::store(to, overwrite ? low[r] : L::load(to) + low[r]);
        L::store(to + lanes, overwrite ? high[r] : L::load(to + lanes) + high[r]);
      }
    }
  }

  static constexpr WinogradTile functions() {
    return {outputs, taps,      inputs,  points, panel,           factors,  many_registers,
            input,   cotangent, weights, output, weight_gradient, multiply, add_products};
  }
};

}  // namespace fer
