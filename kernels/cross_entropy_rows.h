// Cross-entropy of one row of logits, for both devices: logits and their gradient are Logits, all else is T.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cross_entropy.h"
#include "tensor/host_device.h"

namespace fer::cross_entropy_rows {

// log softmax(row)_k = (row_k - maximum) - log_sum: shifted first, so that large logits lose no digits.
template <class T, class Logit>
struct LogSoftmax {
  FER_HOST_DEVICE LogSoftmax(const Logit* row, int64_t classes) : row(row), maximum(static_cast<T>(row[0])) {
    for (int64_t k = 1; k < classes; ++k) {
      maximum = std::max(maximum, static_cast<T>(row[k]));
    }
    T sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
      sum += std::exp(static_cast<T>(row[k]) - maximum);
    }
    log_sum = std::log(sum);
  }
  FER_HOST_DEVICE T operator()(int64_t k) const { return (static_cast<T>(row[k]) - maximum) - log_sum; }

  const Logit* row;
  T maximum;
  T log_sum;
};

// One row's target: c_k of the header.
template <class T>
struct RowTarget {
  FER_HOST_DEVICE RowTarget(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, int64_t n,
                            int64_t classes)
      : label(target.labels ? target.labels[n] : -1),
        probabilities(target.probabilities ? target.probabilities + n * classes : nullptr),
        class_weight(target.class_weight),
        keep(static_cast<T>(1 - params.label_smoothing)),
        floor(static_cast<T>(params.label_smoothing / static_cast<double>(classes))),
        valid(!target.labels || (label >= 0 && label < classes)) {}

  FER_HOST_DEVICE T operator()(int64_t k) const {
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
template <class T, class Logit>
FER_HOST_DEVICE int64_t best_class(const Logit* logits, const T* target, int64_t classes) {
  int64_t best = -1;
  T best_score = 0;
  for (int64_t k = 0; k < classes; ++k) {
    if (target[k] > T(0)) {
      const T score = static_cast<T>(logits[k]) + std::log(target[k]);
      if (best < 0 ? score == score : score > best_score) {
        best = k;
        best_score = score;
      }
    }
  }
  return best;
}

template <class T, class Logit>
FER_HOST_DEVICE T row_loss(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target, const Logit* logits,
                           int64_t n, int64_t classes) {
  const LogSoftmax<T, Logit> log_softmax(logits, classes);
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

template <class T, class Logit>
FER_HOST_DEVICE void row_gradient(const CrossEntropyParams& params, const CrossEntropyTarget<T>& target,
                                  const Logit* logits, int64_t n, int64_t classes, T factor, Logit* dlogits) {
  const LogSoftmax<T, Logit> log_softmax(logits, classes);
  if (params.multi_target) {
    const int64_t best = best_class(logits, target.probabilities + n * classes, classes);
    factor = best < 0 ? std::numeric_limits<T>::quiet_NaN() : factor;
    for (int64_t k = 0; k < classes; ++k) {
      dlogits[k] = static_cast<Logit>(factor * (std::exp(log_softmax(k)) - T(k == best)));
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
    dlogits[k] = static_cast<Logit>(factor * (std::exp(log_softmax(k)) * total - row(k)));
  }
}

}  // namespace fer::cross_entropy_rows
