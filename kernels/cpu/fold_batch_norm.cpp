#include "kernels/fold_batch_norm.h"

#include <cmath>

#include "tensor/parallel.h"

namespace fer {

void fold_batch_norm(double epsilon, View<const float> w, View<const float> b, View<const float> gamma,
                     View<const float> beta, View<const float> mean, View<const float> variance, View<float> folded_w,
                     View<float> folded_b) {
  const int64_t channels = gamma.size(), filter = w.size() / channels;
  const bool dense = w.shape.rank() == 4;
  const int64_t step = dense ? 1 : channels;  // between two weights of a channel
  constexpr int64_t grain = 1 << 15;
  parallel_for(channels, 1 + grain / filter, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const double scale = double{gamma.data[c]} / std::sqrt(double{variance.data[c]} + epsilon);
      const double bias = b.data == nullptr ? 0 : double{b.data[c]};
      folded_b.data[c] = static_cast<float>((bias - double{mean.data[c]}) * scale + double{beta.data[c]});
      const int64_t first = dense ? c * filter : c;
      for (int64_t i = 0; i < filter; ++i) {
        folded_w.data[first + i * step] = static_cast<float>(scale * double{w.data[first + i * step]});
      }
    }
  });
}

}  // namespace fer
