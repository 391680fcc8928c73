#include "analysis/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/metrics_detail.h"
#include "tensor/error.h"

namespace fer {

namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Adds `weight` times the scores of `scores` to `sum`.
void accumulate(ClassScores& sum, const ClassScores& scores, double weight) {
  sum.precision += weight * scores.precision;
  sum.recall += weight * scores.recall;
  sum.f1 += weight * scores.f1;
}

// Index of the largest of a row, the first one on a tie.
size_t predicted_class(std::span<const float> row, size_t sample) {
  size_t best = 0;
  for (size_t c = 0; c < row.size(); ++c) {
    if (!std::isfinite(row[c])) {
      fail("evaluate: probability ", c, " of sample ", sample, " is ", row[c], "; the network's output is not finite");
    }
    if (row[c] > row[best]) {
      best = c;
    }
  }
  return best;
}

}  // namespace

Interval wilson_interval(int64_t successes, int64_t trials, double z) {
  if (successes < 0 || trials < 0 || successes > trials) {
    fail("wilson_interval: ", successes, " successes of ", trials, " trials");
  }
  if (trials == 0) {
    return {0, 1};
  }
  const double n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double shrink = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / shrink;
  const double half = z / shrink * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // At the ends the bound is exactly 0 or 1; rounding must not leave 1e-18 there.
  return {successes == 0 ? 0 : std::max(0.0, centre - half), successes == trials ? 1 : std::min(1.0, centre + half)};
}

void score_confusion(Evaluation& evaluation) {
  const size_t classes = evaluation.classes.size();
  const auto& confusion = evaluation.confusion;
  std::vector<int64_t> predicted(classes, 0);
  evaluation.n = evaluation.correct = 0;
  for (size_t t = 0; t < classes; ++t) {
    evaluation.correct += confusion[t][t];
    for (size_t p = 0; p < classes; ++p) {
      predicted[p] += confusion[t][p];
      evaluation.n += confusion[t][p];
    }
  }
  const double n = static_cast<double>(evaluation.n);
  evaluation.accuracy = ratio(static_cast<double>(evaluation.correct), n);
  evaluation.interval = wilson_interval(evaluation.correct, evaluation.n);
  evaluation.per_class.clear();
  evaluation.macro = {.name = "macro", .support = evaluation.n};
  evaluation.weighted = {.name = "weighted", .support = evaluation.n};
  for (size_t c = 0; c < classes; ++c) {
    ClassScores scores{.name = evaluation.classes[c]};
    for (int64_t count : confusion[c]) {
      scores.support += count;
    }
    const double support = static_cast<double>(scores.support);
    const double hits = static_cast<double>(confusion[c][c]);
    scores.precision = ratio(hits, static_cast<double>(predicted[c]));
    scores.recall = ratio(hits, support);
    scores.f1 = ratio(2 * hits, support + static_cast<double>(predicted[c]));
    accumulate(evaluation.macro, scores, 1 / static_cast<double>(classes));
    accumulate(evaluation.weighted, scores, ratio(support, n));
    evaluation.per_class.push_back(std::move(scores));
  }
}

Evaluation evaluate(const std::vector<std::string>& classes, std::span<const int32_t> labels,
                    std::span<const float> probabilities) {
  const size_t width = classes.size();
  if (width == 0) {
    fail("evaluate: no classes");
  }
  if (probabilities.size() != labels.size() * width) {
    fail("evaluate: ", labels.size(), " labels of ", width, " classes need ", labels.size() * width,
         " probabilities, got ", probabilities.size());
  }
  Evaluation evaluation;
  evaluation.classes = classes;
  evaluation.confusion.assign(width, std::vector<int64_t>(width, 0));
  double loss = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || static_cast<size_t>(labels[i]) >= width) {
      fail("evaluate: label of sample ", i, " is ", labels[i], ", expected 0 to ", width - 1);
    }
    const size_t label = static_cast<size_t>(labels[i]);
    const std::span<const float> row = probabilities.subspan(i * width, width);
    ++evaluation.confusion[label][predicted_class(row, i)];
    // A probability that underflowed to 0 costs 87.3 nats instead of making the mean infinite.
    loss -= std::log(static_cast<double>(std::max(row[label], std::numeric_limits<float>::min())));
  }
  score_confusion(evaluation);
  evaluation.loss = ratio(loss, static_cast<double>(labels.size()));
  return evaluation;
}

void score_attack(RobustEvaluation& evaluation) {
  const double n = static_cast<double>(evaluation.n);
  evaluation.clean_accuracy = ratio(static_cast<double>(evaluation.clean_correct), n);
  evaluation.robust_accuracy = ratio(static_cast<double>(evaluation.robust_correct), n);
  evaluation.clean_interval = wilson_interval(evaluation.clean_correct, evaluation.n);
  evaluation.robust_interval = wilson_interval(evaluation.robust_correct, evaluation.n);
}

RobustEvaluation summarize_attack(std::string attack, std::string description, double eps,
                                  std::span<const uint8_t> clean_correct, std::span<const uint8_t> robust_correct) {
  if (clean_correct.size() != robust_correct.size()) {
    fail("summarize_attack: ", clean_correct.size(), " clean results, ", robust_correct.size(),
         " attacked ones; they must be of the same samples");
  }
  RobustEvaluation evaluation;
  evaluation.attack = std::move(attack);
  evaluation.description = std::move(description);
  evaluation.eps = eps;
  evaluation.n = static_cast<int64_t>(clean_correct.size());
  int64_t fooled = 0;
  for (size_t i = 0; i < clean_correct.size(); ++i) {
    evaluation.clean_correct += clean_correct[i] != 0;
    evaluation.robust_correct += robust_correct[i] != 0;
    fooled += clean_correct[i] != 0 && robust_correct[i] == 0;
  }
  evaluation.success_rate = ratio(static_cast<double>(fooled), static_cast<double>(evaluation.clean_correct));
  score_attack(evaluation);
  return evaluation;
}

std::vector<double> corruption_errors(const std::vector<std::vector<double>>& errors,
                                      const std::vector<std::vector<double>>& reference) {
  if (errors.size() != reference.size()) {
    fail("corruption_errors: ", errors.size(), " kinds, the reference has ", reference.size());
  }
  std::vector<double> result;
  for (size_t kind = 0; kind < errors.size(); ++kind) {
    if (errors[kind].size() != reference[kind].size()) {
      fail("corruption_errors: kind ", kind, " has ", errors[kind].size(), " severities, the reference ",
           reference[kind].size());
    }
    const double sum = std::accumulate(errors[kind].begin(), errors[kind].end(), 0.0);
    const double base = std::accumulate(reference[kind].begin(), reference[kind].end(), 0.0);
    if (base == 0) {
      fail("corruption_errors: the reference makes no error on kind ", kind, ": nothing to divide by");
    }
    result.push_back(sum / base);
  }
  return result;
}

}  // namespace fer
