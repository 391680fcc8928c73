// Learning curves, and robust accuracy against eps.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"

namespace fer::report {

namespace {

bool ends_with(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// "validation_robust_accuracy" -> "validation robust"
std::string series_name(std::string key, size_t ending) {
  key.resize(key.size() > ending ? key.size() - ending : key.size());
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

// Every key of the log that ends in `ending`, training first.
std::vector<ChartSeries> series_ending_in(const RunReport& run, std::string_view ending) {
  std::set<std::string> keys;
  for (const nlohmann::json& epoch : run.epochs) {
    for (const auto& entry : epoch.items()) {
      if (ends_with(entry.key(), ending)) {
        keys.insert(entry.key());
      }
    }
  }
  std::vector<ChartSeries> result;
  for (const std::string& key : keys) {
    ChartSeries series = epoch_series(run, key, series_name(key, ending.size()));
    if (!series.points.empty()) {
      result.push_back(std::move(series));
    }
  }
  std::stable_sort(result.begin(), result.end(), [](const ChartSeries& a, const ChartSeries& b) {
    return a.name.starts_with("train") && !b.name.starts_with("train");
  });
  return result;
}

// Learning rates that fall by a factor of 20 or more are read better in powers of ten.
bool spans_decades(const ChartSeries& series) {
  const auto [low, high] = std::minmax_element(series.points.begin(), series.points.end(),
                                               [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; });
  return low->y > 0 && high->y >= 20 * low->y;
}

std::string best_epoch(const RunReport& run) {
  const ChartSeries validation = epoch_series(run, "validation_accuracy", "");
  if (validation.points.empty()) {
    return "One point an epoch. ";
  }
  const auto best = std::max_element(validation.points.begin(), validation.points.end(),
                                     [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; });
  return "One point an epoch. Validation accuracy was highest at epoch " + format::compact(best->x) + ": " +
         format::percent(best->y) + ". ";
}

}  // namespace

ChartSeries epoch_series(const RunReport& run, const std::string& key, std::string name) {
  ChartSeries series{std::move(name), {}};
  for (size_t i = 0; i < run.epochs.size(); ++i) {
    const nlohmann::json& epoch = run.epochs[i];
    if (!epoch.is_object() || !epoch.contains(key) || !epoch[key].is_number()) {
      continue;
    }
    const double value = epoch[key].get<double>();
    const bool numbered = epoch.contains("epoch") && epoch["epoch"].is_number();
    if (std::isfinite(value)) {
      series.points.push_back({numbered ? epoch["epoch"].get<double>() : static_cast<double>(i + 1), value, {}, {}});
    }
  }
  return series;
}

std::string learning_curves(const RunReport& run, ChartBook& book) {
  std::string figures;
  if (std::vector<ChartSeries> loss = series_ending_in(run, "_loss"); !loss.empty()) {
    figures += book.figure(
        {.title = "Loss", .note = "Cross-entropy; lower is better.", .x_label = "epoch", .series = std::move(loss)});
  }
  if (std::vector<ChartSeries> accuracy = series_ending_in(run, "_accuracy"); !accuracy.empty()) {
    figures += book.figure({.title = "Accuracy",
                            .note = "Share of images classified right.",
                            .x_label = "epoch",
                            .fraction = true,
                            .series = std::move(accuracy)});
  }
  if (ChartSeries rate = epoch_series(run, "learning_rate", "learning rate"); !rate.points.empty()) {
    const bool logarithmic = spans_decades(rate);
    figures += book.figure({.title = "Learning rate",
                            .note = "Step size of the optimizer.",
                            .x_label = "epoch",
                            .from_zero = !logarithmic,
                            .logarithmic = logarithmic,
                            .series = {std::move(rate)}});
  }
  if (figures.empty()) {
    return "";
  }
  return section("Learning curves",
                 best_epoch(run) + "A gap that widens between training and validation is overfitting.",
                 "<div class=\"charts\">" + figures + "</div>");
}

std::vector<ChartSeries> eps_series(const RunReport& run) {
  std::map<std::string, std::map<double, const RobustEvaluation*>> families;
  for (const RobustEvaluation& attack : run.attacks) {
    if (attack.n > 0) {
      families[attack.attack].try_emplace(attack.eps, &attack);
    }
  }
  std::vector<ChartSeries> result;
  for (const auto& [name, strengths] : families) {
    if (strengths.size() < 2) {
      continue;
    }
    ChartSeries series{name, {}};
    if (const RobustEvaluation& first = *strengths.begin()->second; first.eps > 0) {
      series.points.push_back({0, first.clean_accuracy, first.clean_interval.low, first.clean_interval.high});
    }
    for (const auto& [eps, attack] : strengths) {
      series.points.push_back(
          {eps, attack->robust_accuracy, attack->robust_interval.low, attack->robust_interval.high});
    }
    result.push_back(std::move(series));
  }
  return result;
}

}  // namespace fer::report
