#include "kernels/dropout.h"

#include <algorithm>

#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

namespace {

constexpr int64_t grain = 1 << 14;
constexpr int64_t lanes = 16;           // Philox blocks computed side by side
constexpr int64_t numbers = 4 * lanes;  // what they give

// numbers[4 lane + k] = number k of block first + lane, as Philox::block computes it.
void draw(const DropoutParams& params, const StepContext& step, uint64_t first, uint32_t* result) {
  uint32_t counter[4][lanes];
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const uint64_t block = first + static_cast<uint64_t>(lane);
    counter[0][lane] = static_cast<uint32_t>(block);
    counter[1][lane] = static_cast<uint32_t>(block >> 32);
    counter[2][lane] = params.stream;
    counter[3][lane] = static_cast<uint32_t>(step.step);
  }
  uint32_t key[2] = {static_cast<uint32_t>(step.seed),
                     static_cast<uint32_t>(step.seed >> 32) ^ static_cast<uint32_t>(step.step >> 32)};
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const uint64_t p0 = uint64_t{0xD2511F53} * counter[0][lane];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2][lane];
      counter[0][lane] = static_cast<uint32_t>(p1 >> 32) ^ counter[1][lane] ^ key[0];
      counter[1][lane] = static_cast<uint32_t>(p1);
      counter[2][lane] = static_cast<uint32_t>(p0 >> 32) ^ counter[3][lane] ^ key[1];
      counter[3][lane] = static_cast<uint32_t>(p0);
    }
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  for (int64_t lane = 0; lane < lanes; ++lane) {
    for (int64_t k = 0; k < 4; ++k) {
      result[4 * lane + k] = counter[k][lane];
    }
  }
}

template <class T>
void drop_elements(const DropoutParams& params, const StepContext& step, const T* x, T* y, int64_t size,
                   bool reference) {
  const int32_t threshold = static_cast<int32_t>(dropout_threshold(params.rate));
  const T factor = static_cast<T>(1 / (1 - params.rate));
  const Philox philox(step.seed, params.stream, step.step);
  parallel_for((size + numbers - 1) / numbers, grain / numbers, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      uint32_t drawn[numbers];
      const uint64_t first = static_cast<uint64_t>(group * lanes);
      if (reference) {
        for (int64_t i = 0; i < numbers; ++i) {
          drawn[i] = philox.bits(4 * first + static_cast<uint64_t>(i));
        }
      } else {
        draw(params, step, first, drawn);
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
