#include "kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cross_entropy_rows.h"
#include "tensor/parallel.h"

namespace fer {

using namespace cross_entropy_rows;

namespace {

constexpr int64_t row_grain = 512;

// D of the header.
template <class T>
double divisor(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, int64_t rows, int64_t classes) {
  if (params.sum) {
    return 1;
  }
  if (!target.labels || !target.class_weight) {
    return static_cast<double>(rows);
  }
  double sum = 0;
  for (int64_t n = 0; n < rows; ++n) {
    const int64_t label = target.labels[n];
    sum += label >= 0 && label < classes ? static_cast<double>(target.class_weight[label])
                                         : std::numeric_limits<double>::quiet_NaN();
  }
  return sum;
}

}  // namespace

template <class T>
void cross_entropy_forward(const CrossEntropyParams& params, View<const T> logits, const CrossEntropyTarget<T>& target,
                           View<T> loss) {
  const int64_t rows = logits[0], classes = logits[1];
  double total = 0;
  for (int64_t n = 0; n < rows; ++n) {  // a few hundred rows of a few classes: not worth another thread
    total += static_cast<double>(row_loss(params, target, logits.data + n * classes, n, classes));
  }
  loss.data[0] = static_cast<T>(total / divisor(params, target, rows, classes));
}

template <class T>
void cross_entropy_backward(const CrossEntropyParams& params, View<const T> dloss, View<const T> logits,
                            const CrossEntropyTarget<T>& target, View<T> dlogits) {
  const int64_t rows = logits[0], classes = logits[1];
  const T factor = static_cast<T>(static_cast<double>(dloss.data[0]) / divisor(params, target, rows, classes));
  parallel_for(rows, row_grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      row_gradient(params, target, logits.data + n * classes, n, classes, factor, dlogits.data + n * classes);
    }
  });
}

template <class T>
void softmax_forward(View<const T> logits, View<T> y) {
  const int64_t classes = logits[1];
  parallel_for(logits[0], row_grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const T* row = logits.data + n * classes;
      T* result = y.data + n * classes;
      const T maximum = *std::max_element(row, row + classes);
      T sum = 0;
      for (int64_t k = 0; k < classes; ++k) {
        result[k] = std::exp(row[k] - maximum);
        sum += result[k];
      }
      for (int64_t k = 0; k < classes; ++k) {
        result[k] /= sum;
      }
    }
  });
}

template <class T>
void count_correct_labels(View<const T> logits, View<const int32_t> labels, View<int32_t> correct) {
  const int64_t classes = logits[1];
  int32_t count = 0;
  for (int64_t n = 0; n < logits[0]; ++n) {
    const T* row = logits.data + n * classes;
    const int64_t label = labels.data[n];
    bool largest = label >= 0 && label < classes && row[label] == row[label];
    for (int64_t k = 0; k < classes && largest; ++k) {
      largest = k < label ? row[label] > row[k] : row[label] >= row[k];
    }
    count += largest;
  }
  correct.data[0] = count;
}

#define FER_INSTANTIATE(T)                                                                                    \
  template void cross_entropy_forward(const CrossEntropyParams&, View<const T>, const CrossEntropyTarget<T>&, \
                                      View<T>);                                                               \
  template void cross_entropy_backward(const CrossEntropyParams&, View<const T>, View<const T>,               \
                                       const CrossEntropyTarget<T>&, View<T>);                                \
  template void softmax_forward(View<const T>, View<T>);                                                      \
  template void count_correct_labels(View<const T>, View<const int32_t>, View<int32_t>);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
#undef FER_INSTANTIATE

}  // namespace fer
