// y[i] = function(a[i], b[i], …) for arrays of one size, whatever their alignment and length.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/cuda/pack.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// Each thread computes `width` neighbours; the last ones, if fewer, one by one. y may be one of the inputs.
template <int width, class Function, class Y, class... X>
__global__ void map_kernel(int64_t size, Function function, Y* y, const X*... x) {
  const int64_t begin = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * width;
  if (begin + width <= size) {
    const auto compute = [&](Pack<X, width>... packs) {
      Pack<Y, width> result;
#pragma unroll
      for (int i = 0; i < width; ++i) {
        result.at[i] = static_cast<Y>(function(packs.at[i]...));
      }
      return result;
    };
    *reinterpret_cast<Pack<Y, width>*>(y + begin) = compute(*reinterpret_cast<const Pack<X, width>*>(x + begin)...);
    return;
  }
  for (int64_t i = begin; i < size; ++i) {
    y[i] = static_cast<Y>(function(x[i]...));
  }
}

// function takes and returns what converts from and to the elements' types. `reference`: one element a thread.
template <class Function, class Y, class... X>
void map(const char* name, Stream stream, Function function, View<Y> y, bool reference, const X*... x) {
  constexpr int width = access_bytes / static_cast<int>(std::max({sizeof(Y), sizeof(X)...}));
  constexpr int64_t threads = 256;
  const bool wide = !reference && aligned(y.data, width) && (aligned(x, width) && ...);
  const auto run = [&](auto each) {
    const int64_t blocks = blocks_for<int64_t>(y.size(), threads * each);
    launch(stream, {name, dim3(static_cast<unsigned>(blocks)), dim3(threads)},
           map_kernel<decltype(each)::value, Function, Y, X...>, y.size(), function, y.data, x...);
  };
  if (wide) {
    run(std::integral_constant<int, width>{});
  } else {
    run(std::integral_constant<int, 1>{});
  }
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
