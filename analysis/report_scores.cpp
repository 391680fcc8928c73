// Headline numbers, confusion matrix, per-class scores.
#include <algorithm>
#include <map>

#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"

namespace fer::report {

using namespace format;
using html::escape;

namespace {

std::string share(int64_t part, int64_t whole) { return grouped(part) + " of " + grouped(whole) + " images"; }

// Of each attack the strength that leaves the least accuracy.
std::vector<const RobustEvaluation*> worst_cases(const std::vector<RobustEvaluation>& attacks) {
  std::vector<const RobustEvaluation*> worst;
  for (const RobustEvaluation& attack : attacks) {
    const auto same = std::find_if(worst.begin(), worst.end(),
                                   [&](const RobustEvaluation* other) { return other->attack == attack.attack; });
    if (same == worst.end()) {
      worst.push_back(&attack);
    } else if (attack.robust_accuracy < (*same)->robust_accuracy) {
      *same = &attack;
    }
  }
  return worst;
}

// A score with a bar as long as the score.
std::string bar_cell(double value, const std::string& extra = "") {
  return "<td class=\"score\"><span class=\"bar\" style=\"--v:" + fixed(100 * value, 1) + "%\"></span><span>" +
         percent(value) + "</span>" + extra + "</td>";
}

std::string scores_cells(const ClassScores& scores, const std::string& recall_detail = "") {
  return bar_cell(scores.precision) + bar_cell(scores.recall, recall_detail) + bar_cell(scores.f1) +
         "<td class=\"number\">" + grouped(scores.support) + "</td>";
}

// One count with its share of the row, which sets the heat.
std::string confusion_cell(int64_t count, int64_t total, bool diagonal) {
  const double fraction = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
  const char* kind = diagonal ? " class=\"right\"" : "";
  return "<td" + std::string(kind) + " style=\"--heat:" + fixed(fraction, 3) + "\"><b>" + grouped(count) +
         "</b><span>" + (total > 0 ? percent(fraction) : "–") + "</span></td>";
}

// The off-diagonal cell that most images of one class fall into.
std::string main_confusion(const Evaluation& test) {
  double worst = 0;
  std::string text;
  for (size_t t = 0; t < test.classes.size(); ++t) {
    for (size_t p = 0; p < test.classes.size(); ++p) {
      const int64_t count = test.confusion[t][p], support = test.per_class[t].support;
      if (t != p && support > 0 && static_cast<double>(count) / static_cast<double>(support) > worst) {
        worst = static_cast<double>(count) / static_cast<double>(support);
        text = " Most frequent mistake: " + test.classes[t] + " taken for " + test.classes[p] + ", " + percent(worst) +
               " of its images.";
      }
    }
  }
  return text;
}

}  // namespace

std::string tile(const std::string& label, const std::string& value, const std::string& detail,
                 const std::string& basis) {
  return "<div class=\"tile\"><dt>" + escape(label) + "</dt><dd><b>" + escape(value) + "</b><span>" + escape(detail) +
         (basis.empty() ? "" : "<br>" + escape(basis)) + "</span></dd></div>";
}

std::string section(std::string_view heading, std::string_view explanation, const std::string& body) {
  std::string text = "<section><h3>" + escape(heading) + "</h3>";
  if (!explanation.empty()) {
    text += "<p class=\"note\">" + escape(explanation) + "</p>";
  }
  return text + body + "</section>\n";
}

std::string headline(const RunReport& run) {
  std::string tiles;
  if (run.test) {
    const Evaluation& test = *run.test;
    tiles += tile("Clean accuracy", percent(test.accuracy), percent_range(test.interval), share(test.correct, test.n));
  }
  for (const RobustEvaluation* attack : worst_cases(run.attacks)) {
    tiles += tile("Robust accuracy, " + attack->attack + (attack->eps > 0 ? " eps " + eps_text(attack->eps) : ""),
                  percent(attack->robust_accuracy), percent_range(attack->robust_interval),
                  share(attack->robust_correct, attack->n));
  }
  if (run.test) {
    tiles += tile("Macro F1", percent(run.test->macro.f1),
                  "mean over " + std::to_string(run.test->classes.size()) + " classes", "each counted alike");
    tiles += tile("Loss", fixed(run.test->loss, 3), "mean cross-entropy", "in nats");
  }
  if (tiles.empty()) {
    return "<p class=\"note\">This run has not been evaluated on a test set yet.</p>\n";
  }
  return "<dl class=\"tiles\">" + tiles +
         "</dl><p class=\"note\">Ranges are 95% Wilson intervals: how far the figure "
         "could move with another test set of this size. They do not cover a change of seed or of data.</p>\n";
}

std::string confusion_matrix(const RunReport& run) {
  if (!run.test) {
    return "";
  }
  const Evaluation& test = *run.test;
  std::string table = "<div class=\"scroll\"><table class=\"confusion\"><thead><tr><td></td><th colspan=\"" +
                      std::to_string(test.classes.size()) +
                      "\" scope=\"colgroup\" class=\"axis\">predicted</th></tr>"
                      "<tr><th class=\"axis corner\">true</th>";
  for (const std::string& name : test.classes) {
    table += "<th scope=\"col\"><span>" + escape(name) + "</span></th>";
  }
  table += "</tr></thead><tbody>";
  for (size_t t = 0; t < test.classes.size(); ++t) {
    table += "<tr><th scope=\"row\">" + escape(test.classes[t]) + "</th>";
    for (size_t p = 0; p < test.classes.size(); ++p) {
      table += confusion_cell(test.confusion[t][p], test.per_class[t].support, t == p);
    }
    table += "</tr>";
  }
  return section("Confusion matrix",
                 "Each row holds the images of one true class: the count, and its share of the row. Outlined cells on "
                 "the diagonal are right." +
                     main_confusion(test),
                 table + "</tbody></table></div>");
}

std::string class_table(const RunReport& run) {
  if (!run.test) {
    return "";
  }
  const Evaluation& test = *run.test;
  std::string table =
      "<div class=\"scroll\"><table class=\"scores\"><thead><tr><th scope=\"col\">Class</th>"
      "<th scope=\"col\">Precision</th><th scope=\"col\">Recall</th><th scope=\"col\">F1</th>"
      "<th scope=\"col\" class=\"number\">Images</th></tr></thead><tbody>";
  for (size_t c = 0; c < test.classes.size(); ++c) {
    const ClassScores& scores = test.per_class[c];
    const std::string range =
        "<small>" + percent_range(wilson_interval(test.confusion[c][c], scores.support)) + "</small>";
    table += "<tr><th scope=\"row\">" + escape(scores.name) + "</th>" + scores_cells(scores, range) + "</tr>";
  }
  table += "</tbody><tfoot><tr><th scope=\"row\">Mean of classes</th>" + scores_cells(test.macro) +
           "</tr><tr><th scope=\"row\">Weighted by images</th>" + scores_cells(test.weighted) + "</tr></tfoot>";
  return section("Scores by class",
                 "Precision: of the images given this label, how many have it. Recall: of the images that have it, how "
                 "many were found, with its 95% interval. F1: their harmonic mean.",
                 table + "</table></div>");
}

}  // namespace fer::report
