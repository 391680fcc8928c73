// Scores of a classifier, with the intervals that say how far to trust them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace fer {

struct Interval {
  double low = 0, high = 0;
};

// Wilson's score interval for `successes` of `trials`, 95% by default. [0,1] when there are no trials.
Interval wilson_interval(int64_t successes, int64_t trials, double z = 1.959963984540054);

struct ClassScores {
  std::string name;
  double precision = 0, recall = 0, f1 = 0;  // 0 where undefined (no predictions, no samples), as scikit-learn reports
  int64_t support = 0;
};

// Everything that follows from labels and predicted probabilities.
struct Evaluation {
  std::vector<std::string> classes;
  int64_t n = 0;
  int64_t correct = 0;
  double accuracy = 0;
  Interval interval;  // of the accuracy
  double loss = 0;    // mean cross-entropy
  std::vector<ClassScores> per_class;
  ClassScores macro, weighted;                  // means over classes; weighted by support
  std::vector<std::vector<int64_t>> confusion;  // [true][predicted]
};

// probabilities [n, classes] row-major; labels [n]. Ties go to the first class. Throws on sizes that do not fit,
// on labels outside the classes, and on probabilities that are not finite (a network that diverged).
Evaluation evaluate(const std::vector<std::string>& classes, std::span<const int32_t> labels,
                    std::span<const float> probabilities);

// Clean and attacked on the same samples.
struct RobustEvaluation {
  std::string attack;       // "fgsm", "one-pixel", "worst-case"
  std::string description;  // "fgsm eps 0.01, grey-tied, seed 0"
  double eps = 0;
  std::string norm;  // that eps bounds: "linf"; "l0" for pixel attacks
  int64_t steps = 0, restarts = 0;
  int64_t pixels = 0;    // changed at most; 0: all
  std::string channels;  // "grey-tied", "rgb"
  std::string target;    // class the attack was to reach; empty: away from the true one
  uint64_t seed = 0;
  std::string split;  // which samples: "test"
  int64_t n = 0;
  int64_t clean_correct = 0;
  int64_t robust_correct = 0;
  double clean_accuracy = 0, robust_accuracy = 0;
  Interval clean_interval, robust_interval;
  double success_rate = 0;  // of the attack, over initially correct images (targeted: of those, reached the target)
  double queries = 0;       // mean per image
  double seconds = 0;
};

RobustEvaluation summarize_attack(std::string attack, std::string description, double eps,
                                  std::span<const uint8_t> clean_correct, std::span<const uint8_t> robust_correct);

// Corruption errors (Hendrycks and Dietterich, 2019) of kinds of distortion: errors [kind][severity] of a network,
// summed over severities, divided by those of a reference network; mCE is their mean. Throws on tables that differ in
// size and where the reference makes no error.
std::vector<double> corruption_errors(const std::vector<std::vector<double>>& errors,
                                      const std::vector<std::vector<double>>& reference);

// The names of `fer eval --json`: n, accuracy, loss, per_class{name:{precision,recall,f1,support}}, macro, weighted,
// confusion; clean_accuracy, robust_accuracy, success_rate, queries. Beside them `classes` in label order and the
// counts, from which reading back recomputes the scores. Throws naming what is missing or misshapen.
nlohmann::json to_json(const Evaluation& evaluation);
nlohmann::json to_json(const RobustEvaluation& evaluation);
Evaluation evaluation_from_json(const nlohmann::json& json);
RobustEvaluation robust_evaluation_from_json(const nlohmann::json& json);

// As tables for a terminal.
std::string to_text(const Evaluation& evaluation);
std::string to_text(const RobustEvaluation& evaluation);

}  // namespace fer
