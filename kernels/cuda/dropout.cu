#include "kernels/cuda/dropout.h"
#include "kernels/cuda/pack.h"
#include "tensor/philox.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 256;
constexpr int block_numbers = 4;  // of one Philox block: the elements of one thread

struct Rule {
  uint32_t stream, threshold;
  float factor;

  __device__ Philox philox(const StepContext& step) const { return Philox(step.seed, stream, step.step); }
  __device__ float operator()(uint32_t bits, float x) const { return (bits >> 8) >= threshold ? x * factor : 0.0F; }
};

template <bool wide, class T>
__global__ void elements_kernel(Rule rule, const StepContext* step, int64_t size, const T* x, T* y) {
  const int64_t block = int64_t{blockIdx.x} * threads + threadIdx.x, begin = block * block_numbers;
  if (begin >= size) {
    return;
  }
  const auto bits = rule.philox(*step).block(static_cast<uint64_t>(block));
  if (wide && begin + block_numbers <= size) {
    float value[block_numbers];
    load(x + begin, value);
#pragma unroll
    for (int i = 0; i < block_numbers; ++i) {
      value[i] = rule(bits[static_cast<size_t>(i)], value[i]);
    }
    store(y + begin, value);
    return;
  }
  for (int i = 0; i < block_numbers && begin + i < size; ++i) {
    y[begin + i] = static_cast<T>(rule(bits[static_cast<size_t>(i)], static_cast<float>(x[begin + i])));
  }
}

// Element i draws number i / each: 1 an element, or the elements of a sample.
template <class T>
__global__ void single_kernel(Rule rule, const StepContext* step, int64_t each, int64_t size, const T* x, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < size) {
    const uint32_t bits = rule.philox(*step).bits(static_cast<uint64_t>(i / each));
    y[i] = static_cast<T>(rule(bits, static_cast<float>(x[i])));
  }
}

}  // namespace

template <class T>
void dropout_forward(const DropoutParams& params, const StepContext* step, View<const T> x, View<T> y, Stream stream,
                     bool reference) {
  const Rule rule{params.stream, dropout_threshold(params.rate), static_cast<float>(1 / (1 - params.rate))};
  const int64_t size = x.size(), each = params.per_sample && x[0] > 0 ? size / x[0] : 1;
  const auto grid = [](const char* name, int64_t work) {
    return Grid{name, dim3(static_cast<unsigned>(blocks_for<int64_t>(work, threads))), dim3(threads)};
  };
  if (params.per_sample || reference) {
    launch(stream, grid("dropout", size), single_kernel<T>, rule, step, each, size, x.data, y.data);
    return;
  }
  const bool wide = aligned(x.data, block_numbers) && aligned(y.data, block_numbers);
  launch(stream, grid("dropout", blocks_for<int64_t>(size, block_numbers)),
         wide ? elements_kernel<true, T> : elements_kernel<false, T>, rule, step, size, x.data, y.data);
}

#define FER_INSTANTIATE(T) \
  template void dropout_forward(const DropoutParams&, const StepContext*, View<const T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
