#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.h"
#include "kernels/cuda/random_uniform.h"
#include "tensor/philox.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int64_t threads = 256;
constexpr int64_t block_numbers = 4;  // of one Philox block: the elements of one thread

template <class T>
__global__ void uniform_kernel(uint32_t stream, float low, float width, const StepContext* step, int64_t size, T* y) {
  const int64_t block = int64_t{blockIdx.x} * threads + threadIdx.x, begin = block * block_numbers;
  if (begin >= size) {
    return;
  }
  const auto numbers = Philox(step->seed, stream, step->step).block(static_cast<uint64_t>(block));
  for (int64_t i = 0; i < block_numbers && begin + i < size; ++i) {
    y[begin + i] = static_cast<T>(low + width * Philox::to_uniform(numbers[static_cast<size_t>(i)]));
  }
}

}  // namespace

template <class T>
void random_uniform_forward(const RandomUniformParams& params, const StepContext* step, View<T> y, Stream stream) {
  const int64_t blocks = blocks_for<int64_t>(blocks_for<int64_t>(y.size(), block_numbers), threads);
  launch(stream, {"random_uniform", dim3(static_cast<unsigned>(blocks)), dim3(threads)}, uniform_kernel<T>,
         params.stream, static_cast<float>(params.low), static_cast<float>(params.high - params.low), step, y.size(),
         y.data);
}

template void random_uniform_forward(const RandomUniformParams&, const StepContext*, View<float>, Stream);
template void random_uniform_forward(const RandomUniformParams&, const StepContext*, View<bf16>, Stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
