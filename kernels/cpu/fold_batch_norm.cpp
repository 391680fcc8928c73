#include "kernels/fold_batch_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/lanes.h"
#include "tensor/cores.h"
#include "tensor/parallel.h"

namespace fer {

void fold_batch_norm(double epsilon, View<const float> w, View<const float> b, View<const float> gamma,
                     View<const float> beta, View<const float> mean, View<const float> variance, View<float> folded_w,
                     View<float> folded_b) {
  const int64_t channels = gamma.size(), filter = w.size() / channels;
  const bool dense = w.shape.rank() == 4;
  const bool past_caches = dense && cores_are_far();  // all threads have read what lies there
  constexpr int64_t grain = 1 << 15, piece = 256;
  parallel_for(channels, 1 + grain / filter, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const double scale = double{gamma.data[c]} / std::sqrt(double{variance.data[c]} + epsilon);
      const double bias = b.data == nullptr ? 0 : double{b.data[c]};
      folded_b.data[c] = static_cast<float>((bias - double{mean.data[c]}) * scale + double{beta.data[c]});
      if (!dense) {
        for (int64_t i = c; i < w.size(); i += channels) {
          folded_w.data[i] = static_cast<float>(scale * double{w.data[i]});
        }
        continue;
      }
      alignas(32) float made[piece];
      for (int64_t i = c * filter; i < (c + 1) * filter; i += piece) {
        const int64_t count = std::min(piece, (c + 1) * filter - i);
        float* const to = past_caches ? made : folded_w.data + i;
#pragma omp simd
        for (int64_t k = 0; k < count; ++k) {
          to[k] = static_cast<float>(scale * double{w.data[i + k]});
        }
        if (past_caches) {
          stream(made, count, folded_w.data + i);
        }
      }
    }
    finish_streaming();
  });
}

}  // namespace fer
