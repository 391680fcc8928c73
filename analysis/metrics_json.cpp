// Evaluations as JSON: the names that scripts outside the project read.
#include "analysis/metrics.h"
#include "analysis/metrics_detail.h"
#include "tensor/error.h"

namespace fer {

namespace {

nlohmann::json scores_to_json(const ClassScores& scores) {
  return {{"precision", scores.precision}, {"recall", scores.recall}, {"f1", scores.f1}, {"support", scores.support}};
}

nlohmann::json interval_to_json(const Interval& interval) { return {interval.low, interval.high}; }

// json[key] as T; the error names the key and what is there instead.
template <class T>
T required(const nlohmann::json& json, const char* what, const char* key) {
  if (!json.is_object() || !json.contains(key)) {
    fail(what, ": no '", key, "'");
  }
  try {
    return json[key].get<T>();
  } catch (const nlohmann::json::exception&) {
    fail(what, ": '", key, "' is of type ", json[key].type_name());
  }
}

}  // namespace

nlohmann::json to_json(const Evaluation& evaluation) {
  nlohmann::json per_class = nlohmann::json::object();
  for (const ClassScores& scores : evaluation.per_class) {
    per_class[scores.name] = scores_to_json(scores);
  }
  // `classes` keeps the label order, which an object's keys do not.
  return {{"classes", evaluation.classes},
          {"n", evaluation.n},
          {"correct", evaluation.correct},
          {"accuracy", evaluation.accuracy},
          {"interval", interval_to_json(evaluation.interval)},
          {"loss", evaluation.loss},
          {"per_class", per_class},
          {"macro", scores_to_json(evaluation.macro)},
          {"weighted", scores_to_json(evaluation.weighted)},
          {"confusion", evaluation.confusion}};
}

Evaluation evaluation_from_json(const nlohmann::json& json) {
  constexpr const char* what = "evaluation";
  Evaluation evaluation;
  evaluation.classes = required<std::vector<std::string>>(json, what, "classes");
  evaluation.confusion = required<std::vector<std::vector<int64_t>>>(json, what, "confusion");
  evaluation.loss = required<double>(json, what, "loss");
  const size_t classes = evaluation.classes.size();
  if (evaluation.confusion.size() != classes) {
    fail(what, ": 'confusion' has ", evaluation.confusion.size(), " rows for ", classes, " classes");
  }
  for (const std::vector<int64_t>& row : evaluation.confusion) {
    if (row.size() != classes) {
      fail(what, ": a row of 'confusion' has ", row.size(), " entries for ", classes, " classes");
    }
    for (int64_t count : row) {
      if (count < 0) {
        fail(what, ": 'confusion' holds a negative count, ", count);
      }
    }
  }
  score_confusion(evaluation);
  return evaluation;
}

nlohmann::json to_json(const RobustEvaluation& evaluation) {
  return {{"attack", evaluation.attack},
          {"description", evaluation.description},
          {"eps", evaluation.eps},
          {"norm", evaluation.norm},
          {"steps", evaluation.steps},
          {"restarts", evaluation.restarts},
          {"pixels", evaluation.pixels},
          {"channels", evaluation.channels},
          {"target", evaluation.target},
          {"seed", evaluation.seed},
          {"split", evaluation.split},
          {"n", evaluation.n},
          {"clean_correct", evaluation.clean_correct},
          {"robust_correct", evaluation.robust_correct},
          {"clean_accuracy", evaluation.clean_accuracy},
          {"robust_accuracy", evaluation.robust_accuracy},
          {"clean_interval", interval_to_json(evaluation.clean_interval)},
          {"robust_interval", interval_to_json(evaluation.robust_interval)},
          {"success_rate", evaluation.success_rate},
          {"queries", evaluation.queries},
          {"seconds", evaluation.seconds}};
}

RobustEvaluation robust_evaluation_from_json(const nlohmann::json& json) {
  constexpr const char* what = "robust evaluation";
  RobustEvaluation evaluation;
  evaluation.attack = required<std::string>(json, what, "attack");
  evaluation.description = required<std::string>(json, what, "description");
  evaluation.eps = required<double>(json, what, "eps");
  evaluation.norm = required<std::string>(json, what, "norm");
  evaluation.steps = required<int64_t>(json, what, "steps");
  evaluation.restarts = required<int64_t>(json, what, "restarts");
  evaluation.pixels = required<int64_t>(json, what, "pixels");
  evaluation.channels = required<std::string>(json, what, "channels");
  evaluation.target = required<std::string>(json, what, "target");
  evaluation.seed = required<uint64_t>(json, what, "seed");
  evaluation.split = required<std::string>(json, what, "split");
  evaluation.n = required<int64_t>(json, what, "n");
  evaluation.clean_correct = required<int64_t>(json, what, "clean_correct");
  evaluation.robust_correct = required<int64_t>(json, what, "robust_correct");
  evaluation.success_rate = required<double>(json, what, "success_rate");
  evaluation.queries = required<double>(json, what, "queries");
  evaluation.seconds = required<double>(json, what, "seconds");
  score_attack(evaluation);
  return evaluation;
}

}  // namespace fer
