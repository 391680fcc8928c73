#include "kernels/random_uniform.h"

#include <algorithm>

#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

template <class T>
void random_uniform_forward(const RandomUniformParams& params, const StepContext& step, View<T> y) {
  const Philox philox(step.seed, params.stream, step.step);
  const T low = static_cast<T>(params.low), width = static_cast<T>(params.high - params.low);
  parallel_for((y.size() + 3) / 4, 1 << 12, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto numbers = philox.block(static_cast<uint64_t>(block));
      for (int64_t i = 4 * block; i < std::min(4 * block + 4, y.size()); ++i) {
        y.data[i] = low + width * static_cast<T>(Philox::to_uniform(numbers[static_cast<size_t>(i - 4 * block)]));
      }
    }
  });
}

template void random_uniform_forward(const RandomUniformParams&, const StepContext&, View<float>);
template void random_uniform_forward(const RandomUniformParams&, const StepContext&, View<double>);

}  // namespace fer
