// Evaluations as tables for a terminal.
#include <algorithm>
#include <cstdio>

#include "analysis/format.h"
#include "analysis/metrics.h"

namespace fer {

using namespace format;

namespace {

// Columns a terminal needs for UTF-8 text: one a code point.
size_t display_width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded_left(const std::string& text, size_t width) {
  return std::string(width - std::min(width, display_width(text)), ' ') + text;
}

std::string padded_right(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}

std::string score_row(const ClassScores& scores, size_t name_width) {
  return "  " + padded_right(scores.name, name_width) + padded_left(percent(scores.precision), 11) +
         padded_left(percent(scores.recall), 9) + padded_left(percent(scores.f1), 9) +
         padded_left(grouped(scores.support), 9) + "\n";
}

size_t longest_name(const Evaluation& evaluation) {
  size_t width = display_width("weighted");
  for (const std::string& name : evaluation.classes) {
    width = std::max(width, display_width(name));
  }
  return width;
}

std::string confusion_table(const Evaluation& evaluation, size_t name_width) {
  std::string text = "  rows: true class, columns: predicted class\n  " + std::string(name_width, ' ');
  std::vector<size_t> widths;
  for (size_t p = 0; p < evaluation.classes.size(); ++p) {
    size_t width = display_width(evaluation.classes[p]);
    for (const std::vector<int64_t>& row : evaluation.confusion) {
      width = std::max(width, grouped(row[p]).size());
    }
    widths.push_back(width + 2);
    text += padded_left(evaluation.classes[p], widths.back());
  }
  text += "\n";
  for (size_t t = 0; t < evaluation.classes.size(); ++t) {
    text += "  " + padded_right(evaluation.classes[t], name_width);
    for (size_t p = 0; p < evaluation.classes.size(); ++p) {
      text += padded_left(grouped(evaluation.confusion[t][p]), widths[p]);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string to_text(const Evaluation& evaluation) {
  const size_t name_width = longest_name(evaluation);
  std::string text = "accuracy " + percent(evaluation.accuracy) + "  [" + percent_range(evaluation.interval) + "]  " +
                     grouped(evaluation.correct) + " of " + grouped(evaluation.n) + " images, loss " +
                     fixed(evaluation.loss, 4) + "\n\n";
  text += "  " + padded_right("class", name_width) + padded_left("precision", 11) + padded_left("recall", 9) +
          padded_left("f1", 9) + padded_left("images", 9) + "\n";
  for (const ClassScores& scores : evaluation.per_class) {
    text += score_row(scores, name_width);
  }
  text += score_row(evaluation.macro, name_width) + score_row(evaluation.weighted, name_width);
  return text + "\n" + confusion_table(evaluation, name_width);
}

std::string to_text(const RobustEvaluation& evaluation) {
  std::string text = (evaluation.description.empty() ? evaluation.attack : evaluation.description) + ", " +
                     grouped(evaluation.n) + " images\n";
  text += "  clean accuracy   " + padded_left(percent(evaluation.clean_accuracy), 6) + "  [" +
          percent_range(evaluation.clean_interval) + "]\n";
  text += "  robust accuracy  " + padded_left(percent(evaluation.robust_accuracy), 6) + "  [" +
          percent_range(evaluation.robust_interval) + "]\n";
  text += "  attack success   " + padded_left(percent(evaluation.success_rate), 6) + "  of " +
          grouped(evaluation.clean_correct) + " images that were right before\n";
  if (evaluation.queries > 0) {
    text += "  queries an image " + padded_left(fixed(evaluation.queries, 1), 6) + "\n";
  }
  if (evaluation.seconds > 0) {
    text += "  time             " + padded_left(duration(evaluation.seconds), 6) + "\n";
  }
  return text;
}

}  // namespace fer
