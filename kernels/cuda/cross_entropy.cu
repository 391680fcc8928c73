#include "kernels/cross_entropy_rows.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/cross_entropy.h"
#include "kernels/cuda/pack.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

using cross_entropy_rows::row_gradient;
using cross_entropy_rows::row_loss;

constexpr int threads = 256;

// D of kernels/cross_entropy.h, for every thread of a block.
__device__ double divisor(const CrossEntropyParams& params, const CrossEntropyTarget<float>& target, int rows,
                          int classes, double* shared) {
  if (params.sum) {
    return 1;
  }
  if (target.labels == nullptr || target.class_weight == nullptr) {
    return rows;
  }
  double own = 0;
  for (int n = static_cast<int>(threadIdx.x); n < rows; n += threads) {
    const int label = target.labels[n];
    own += label >= 0 && label < classes ? static_cast<double>(target.class_weight[label])
                                         : std::numeric_limits<double>::quiet_NaN();
  }
  return block_sum<threads>(own, shared);
}

// One block: a few hundred rows of a few classes.
template <class T>
__global__ void __launch_bounds__(threads) loss_kernel(CrossEntropyParams params, CrossEntropyTarget<float> target,
                                                       int rows, int classes, const T* logits, float* loss) {
  FER_SHARED(double, shared, [threads]);
  const double by = divisor(params, target, rows, classes, shared);
  double own = 0;
  for (int n = static_cast<int>(threadIdx.x); n < rows; n += threads) {
    own += static_cast<double>(row_loss(params, target, logits + int64_t{n} * classes, n, classes));
  }
  const double total = block_sum<threads>(own, shared);
  if (threadIdx.x == 0) {
    *loss = static_cast<float>(total / by);
  }
}

// A row a thread.
template <class T>
__global__ void __launch_bounds__(threads)
    gradient_kernel(CrossEntropyParams params, CrossEntropyTarget<float> target, int rows, int classes,
                    const float* dloss, const T* logits, T* dlogits) {
  FER_SHARED(double, shared, [threads]);
  const double by = divisor(params, target, rows, classes, shared);
  const int n = static_cast<int>(blockIdx.x * threads + threadIdx.x);
  if (n < rows) {
    const int64_t row = int64_t{n} * classes;
    row_gradient(params, target, logits + row, n, classes, static_cast<float>(*dloss / by), dlogits + row);
  }
}

template <class T>
__global__ void softmax_kernel(int rows, int classes, const T* logits, T* y) {
  const int n = static_cast<int>(blockIdx.x * threads + threadIdx.x);
  if (n >= rows) {
    return;
  }
  const T* const row = logits + int64_t{n} * classes;
  T* const result = y + int64_t{n} * classes;
  float maximum = static_cast<float>(row[0]), sum = 0;
  for (int k = 1; k < classes; ++k) {
    maximum = std::max(maximum, static_cast<float>(row[k]));
  }
  for (int k = 0; k < classes; ++k) {
    sum += std::exp(static_cast<float>(row[k]) - maximum);
  }
  for (int k = 0; k < classes; ++k) {
    result[k] = static_cast<T>(std::exp(static_cast<float>(row[k]) - maximum) / sum);
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    count_kernel(int rows, int classes, const T* logits, const int32_t* labels, int32_t* correct) {
  FER_SHARED(int32_t, shared, [threads]);
  int32_t own = 0;
  for (int n = static_cast<int>(threadIdx.x); n < rows; n += threads) {
    const T* const row = logits + int64_t{n} * classes;
    const auto logit = [&](int k) { return static_cast<float>(row[k]); };
    const int label = labels[n];
    bool largest = label >= 0 && label < classes && logit(label) == logit(label);
    for (int k = 0; k < classes && largest; ++k) {
      largest = k < label ? logit(label) > logit(k) : logit(label) >= logit(k);
    }
    own += largest;
  }
  const int32_t total = block_sum<threads>(own, shared);
  if (threadIdx.x == 0) {
    *correct = total;
  }
}

dim3 row_blocks(int64_t rows) { return dim3(static_cast<unsigned>(blocks_for<int64_t>(rows, threads))); }

}  // namespace

template <class T>
void cross_entropy_forward(const CrossEntropyParams& params, View<const T> logits,
                           const CrossEntropyTarget<float>& target, View<float> loss, Stream stream) {
  launch(stream, {"cross_entropy", dim3(1), dim3(threads)}, loss_kernel<T>, params, target, static_cast<int>(logits[0]),
         static_cast<int>(logits[1]), logits.data, loss.data);
}

template <class T>
void cross_entropy_backward(const CrossEntropyParams& params, View<const float> dloss, View<const T> logits,
                            const CrossEntropyTarget<float>& target, View<T> dlogits, Stream stream) {
  launch(stream, {"cross_entropy_backward", row_blocks(logits[0]), dim3(threads)}, gradient_kernel<T>, params, target,
         static_cast<int>(logits[0]), static_cast<int>(logits[1]), dloss.data, logits.data, dlogits.data);
}

template <class T>
void softmax_forward(View<const T> logits, View<T> y, Stream stream) {
  launch(stream, {"softmax", row_blocks(logits[0]), dim3(threads)}, softmax_kernel<T>, static_cast<int>(logits[0]),
         static_cast<int>(logits[1]), logits.data, y.data);
}

template <class T>
void count_correct_labels(View<const T> logits, View<const int32_t> labels, View<int32_t> correct, Stream stream) {
  launch(stream, {"count_correct", dim3(1), dim3(threads)}, count_kernel<T>, static_cast<int>(logits[0]),
         static_cast<int>(logits[1]), logits.data, labels.data, correct.data);
}

#define FER_INSTANTIATE(T)                                                                                        \
  template void cross_entropy_forward(const CrossEntropyParams&, View<const T>, const CrossEntropyTarget<float>&, \
                                      View<float>, Stream);                                                       \
  template void cross_entropy_backward(const CrossEntropyParams&, View<const float>, View<const T>,               \
                                       const CrossEntropyTarget<float>&, View<T>, Stream);                        \
  template void softmax_forward(View<const T>, View<T>, Stream);                                                  \
  template void count_correct_labels(View<const T>, View<const int32_t>, View<int32_t>, Stream);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
