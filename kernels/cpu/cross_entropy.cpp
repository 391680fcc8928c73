#include "kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t row_grain = 512;

// log softmax(row)_k = (row_k - maximum) - log_sum: shifted first, so that large logits lose no digits.
template <class T>
struct LogSoftmax {
  LogSoftmax(const T* row, int64_t classes) : row(row), maximum(row[0]) {
    for (int64_t k = 1; k < classes; ++k) {
      maximum = std::max(maximum, row[k]);
    }
    T sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
      sum += std::exp(row[k] - maximum);
    }
    log_sum = std::log(sum);
  }
  T operator()(int64_t k) const { return (row[k] - maximum) - log_sum; }

  const T* row;
  T maximum;
  T log_sum;
};

// One row's target: c_k of the header.
template <class T>
struct RowTarget {
  RowTarget(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, int64_t n, int64_t classes)
      : label(target.labels ? target.labels[n] : -1),
        probabilities(target.probabilities ? target.probabilities + n * classes : nullptr),
        class_weight(target.class_weight),
        keep(static_cast<T>(1 - params.label_smoothing)),
        floor(static_cast<T>(params.label_smoothing / static_cast<double>(classes))),
        valid(!target.labels || (label >= 0 && label < classes)) {}

  T operator()(int64_t k) const {
    const T share = probabilities ? probabilities[k] : T(k == label);
    return (keep * share + floor) * (class_weight ? class_weight[k] : T(1));
  }

  int64_t label;
  const T* probabilities;
  const T* class_weight;
  T keep, floor;
  bool valid;
};

// The class a multi-target row is judged by: the largest t_k p_k; -1 when there is none.
template <class T>
int64_t best_class(const T* logits, const T* target, int64_t classes) {
  int64_t best = -1;
  T best_score = 0;
  for (int64_t k = 0; k < classes; ++k) {
    if (target[k] > T(0)) {
      const T score = logits[k] + std::log(target[k]);
      if (best < 0 ? score == score : score > best_score) {
        best = k;
        best_score = score;
      }
    }
  }
  return best;
}

template <class T>
T row_loss(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, const T* logits, int64_t n,
           int64_t classes) {
  const LogSoftmax<T> log_softmax(logits, classes);
  if (params.multi_target) {
    const T* shares = target.probabilities + n * classes;
    const int64_t best = best_class(logits, shares, classes);
    if (best < 0) {
      return std::numeric_limits<T>::quiet_NaN();
    }
    T total = 0;
    for (int64_t k = 0; k < classes; ++k) {
      total += std::max(shares[k], T(0));
    }
    return -log_softmax(best) - std::log(shares[best] / total);
  }
  const RowTarget<T> row(params, target, n, classes);
  if (!row.valid) {
    return std::numeric_limits<T>::quiet_NaN();
  }
  T loss = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const T c = row(k);
    loss -= c == T(0) ? T(0) : c * log_softmax(k);  // a class that does not count may have logit -infinity
  }
  return loss;
}

template <class T>
void row_gradient(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, const T* logits, int64_t n,
                  int64_t classes, T factor, T* dlogits) {
  const LogSoftmax<T> log_softmax(logits, classes);
  if (params.multi_target) {
    const int64_t best = best_class(logits, target.probabilities + n * classes, classes);
    factor = best < 0 ? std::numeric_limits<T>::quiet_NaN() : factor;
    for (int64_t k = 0; k < classes; ++k) {
      dlogits[k] = factor * (std::exp(log_softmax(k)) - T(k == best));
    }
    return;
  }
  const RowTarget<T> row(params, target, n, classes);
  factor = row.valid ? factor : std::numeric_limits<T>::quiet_NaN();
  T total = 0;
  for (int64_t k = 0; k < classes; ++k) {
    total += row(k);
  }
  for (int64_t k = 0; k < classes; ++k) {
    dlogits[k] = factor * (std::exp(log_softmax(k)) * total - row(k));
  }
}

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
