// Softmax cross-entropy, and what follows from a row of logits.
#pragma once

#include "tensor/view.h"

namespace fer {

struct CrossEntropyParams {
  double label_smoothing = 0;  // target (1 - s) one_hot + s / K, PyTorch's definition
  bool multi_target = false;   // FER+: -log of the largest probability among classes with target > 0
  bool sum = false;            // sum over the batch instead of the (weighted) mean
};

// What logits [N,K] are compared with: labels [N] or probabilities [N,K], the other one null; class_weight [K] or null.
template <class T>
struct CrossEntropyTarget {
  const int32_t* labels = nullptr;
  const T* probabilities = nullptr;
  const T* class_weight = nullptr;
};

// loss (one element, overwritten) = sum_nk c_nk (-log softmax(logits)_nk) / D with c_nk = w_k ((1 - s) t_nk + s / K),
// t the one-hot labels or the probabilities. D is 1 for a sum; for a mean it is the sum of the labels' class weights,
// or N for probabilities or without weights (PyTorch's cross_entropy).
//
// multi_target follows the FER+ reference code (Barsoum et al., "Training deep networks for facial expression
// recognition with crowd-sourced label distribution", ICMI 2016), not the formula of its paper: -log max_k(t_k p_k)
// with t scaled to sum 1, which adds log of the number of acceptable classes when they are equally acceptable.
//
// A label outside 0 … K-1, or a multi_target row without an acceptable class, makes its row's loss (and gradient) NaN.
template <class T>
void cross_entropy_forward(const CrossEntropyParams& params, View<const T> logits, const CrossEntropyTarget<T>& target,
                           View<T> loss);

// dlogits_nj = dloss (p_nj sum_k c_nk - c_nj) / D. Overwrites; softmax is computed again, nothing is saved.
template <class T>
void cross_entropy_backward(const CrossEntropyParams& params, View<const T> dloss, View<const T> logits,
                            const CrossEntropyTarget<T>& target, View<T> dlogits);

// y [N,K] = softmax of each row. May run in place.
template <class T>
void softmax_forward(View<const T> logits, View<T> y);

// correct (one element) = number of rows whose first largest logit is at the label; a row with NaN is never correct.
template <class T>
void count_correct_labels(View<const T> logits, View<const int32_t> labels, View<int32_t> correct);

}  // namespace fer
