#include "kernels/dropout.h"

#include <immintrin.h>

#include <algorithm>

#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;
constexpr int64_t registers = 2, lanes = 4;    // of Philox blocks computed side by side
constexpr int64_t blocks = registers * lanes;  // in all
constexpr int64_t numbers = 4 * blocks;        // what they give

__m256i fill(uint64_t value) { return _mm256_set1_epi64x(static_cast<int64_t>(value)); }

// What Philox's ten rounds mix in.
struct Keys {
  explicit Keys(const StepContext& step) {
    uint32_t key[2] = {static_cast<uint32_t>(step.seed),
                       static_cast<uint32_t>(step.seed >> 32) ^ static_cast<uint32_t>(step.step >> 32)};
    for (auto& round : rounds) {
      round[0] = fill(key[0]);
      round[1] = fill(key[1]);
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
  }
  __m256i rounds[10][2];
};

// numbers[4 b + k] = number k of block first + b, as Philox::block computes it. A lane has 64 bits, of which the lower
// half counts: the products of the lower halves are what the processor multiplies.
void draw(const DropoutParams& params, const StepContext& step, const Keys& keys, uint64_t first, uint32_t* result) {
  __m256i counter[registers][4];
  for (int64_t r = 0; r < registers; ++r) {
    const __m256i block = fill(first + static_cast<uint64_t>(r * lanes)) + _mm256_set_epi64x(3, 2, 1, 0);
    counter[r][0] = block;
    counter[r][1] = _mm256_srli_epi64(block, 32);
    counter[r][2] = fill(params.stream);
    counter[r][3] = fill(static_cast<uint64_t>(step.step));
  }
  for (const auto& key : keys.rounds) {
#pragma GCC unroll 2
    for (int64_t r = 0; r < registers; ++r) {
      __m256i* const c = counter[r];
      const __m256i p0 = _mm256_mul_epu32(fill(0xD2511F53), c[0]);
      const __m256i p1 = _mm256_mul_epu32(fill(0xCD9E8D57), c[2]);
      c[0] = _mm256_srli_epi64(p1, 32) ^ c[1] ^ key[0];
      c[1] = p1;
      c[2] = _mm256_srli_epi64(p0, 32) ^ c[3] ^ key[1];
      c[3] = p0;
    }
  }
  for (int64_t r = 0; r < registers; ++r) {
    // Numbers 0 and 1, and 2 and 3, of each block side by side.
    const auto pairs = [](__m256i even, __m256i odd) {
      return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0b10101010);
    };
    const __m256i first = pairs(counter[r][0], counter[r][1]), second = pairs(counter[r][2], counter[r][3]);
    const __m256i even = _mm256_unpacklo_epi64(first, second), odd = _mm256_unpackhi_epi64(first, second);
    auto* const to = reinterpret_cast<__m256i*>(result + 4 * lanes * r);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(even, odd, 0x31));
  }
}

template <class T>
void drop_elements(const DropoutParams& params, const StepContext& step, const T* x, T* y, int64_t size,
                   bool reference) {
  const int32_t threshold = static_cast<int32_t>(dropout_threshold(params.rate));
  const T factor = static_cast<T>(1 / (1 - params.rate));
  const Philox philox(step.seed, params.stream, step.step);
  const Keys keys(step);
  parallel_for((size + numbers - 1) / numbers, grain / numbers, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      uint32_t drawn[numbers];
      const uint64_t first = static_cast<uint64_t>(group * blocks);
      if (reference) {
        for (int64_t i = 0; i < numbers; ++i) {
          drawn[i] = philox.bits(4 * first + static_cast<uint64_t>(i));
        }
      } else {
        draw(params, step, keys, first, drawn);
      }
      const T* const from = x + group * numbers;
      T* const to = y + group * numbers;
      const int64_t count = std::min(numbers, size - group * numbers);
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) {
        const T scaled = from[i] * factor;
        to[i] = static_cast<int32_t>(drawn[i] >> 8) >= threshold ? scaled : T(0);
      }
    }
  });
}

template <class T>
void drop_whole(const DropoutParams& params, const StepContext& step, const T* x, T* y, int64_t samples, int64_t each) {
  const uint32_t threshold = dropout_threshold(params.rate);
  const T factor = static_cast<T>(1 / (1 - params.rate));
  const Philox philox(step.seed, params.stream, step.step);
  parallel_for(samples, std::max<int64_t>(1, grain / std::max<int64_t>(1, each)), [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) {
      const bool kept = (philox.bits(static_cast<uint64_t>(sample)) >> 8) >= threshold;
      const T* const from = x + sample * each;
      T* const to = y + sample * each;
#pragma omp simd
      for (int64_t i = 0; i < each; ++i) {
        to[i] = kept ? from[i] * factor : T(0);
      }
    }
  });
}

}  // namespace

template <class T>
void dropout_forward(const DropoutParams& params, const StepContext& step, View<const T> x, View<T> y, bool reference) {
  if (params.per_sample) {
    drop_whole(params, step, x.data, y.data, x[0], x[0] == 0 ? 0 : x.size() / x[0]);
  } else {
    drop_elements(params, step, x.data, y.data, x.size(), reference);
  }
}

template void dropout_forward(const DropoutParams&, const StepContext&, View<const float>, View<float>, bool);
template void dropout_forward(const DropoutParams&, const StepContext&, View<const double>, View<double>, bool);

}  // namespace fer
