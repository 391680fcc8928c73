#include "kernels/cuda/bias.h"
#include "kernels/cuda/pack.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

constexpr int threads = 256;

template <class T>
__global__ void bias_kernel(int64_t size, int64_t channels, const float* bias, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < size) {
    y[i] = static_cast<T>(static_cast<float>(y[i]) + bias[i % channels]);
  }
}

}  // namespace

template <class T>
void add_bias(View<const float> bias, View<T> y, Stream stream) {
  launch(stream, {"add_bias", dim3(static_cast<unsigned>(blocks_for<int64_t>(y.size(), threads))), dim3(threads)},
         bias_kernel<T>, y.size(), bias.size(), bias.data, y.data);
}

template void add_bias(View<const float>, View<float>, Stream);
template void add_bias(View<const float>, View<bf16>, Stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
