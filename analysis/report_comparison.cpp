// Several runs side by side, the first one being the one the others are measured against.
#include <algorithm>

#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"

namespace fer::report {

using namespace format;
using html::escape;

namespace {

struct Score {
  double value = 0;
  Interval interval;
};

// A row of accuracies: value, interval, and the difference to the first run.
std::string score_row(const std::string& label, const std::vector<std::optional<Score>>& scores) {
  std::string text = "<tr><th scope=\"row\">" + escape(label) + "</th>";
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!scores[i]) {
      text += "<td class=\"number\">–</td>";
      continue;
    }
    text += "<td class=\"number\">";
    if (i > 0 && scores[0]) {
      text += "<span class=\"change\">" + points(scores[i]->value - scores[0]->value) + "</span>";
    }
    text += "<b>" + percent(scores[i]->value) + "</b><small>" + percent_range(scores[i]->interval) + "</small></td>";
  }
  return text + "</tr>";
}

std::string text_row(const std::string& label, const std::vector<std::string>& values) {
  if (std::all_of(values.begin(), values.end(), [](const std::string& value) { return value.empty(); })) {
    return "";
  }
  std::string text = "<tr><th scope=\"row\">" + escape(label) + "</th>";
  for (const std::string& value : values) {
    text += "<td class=\"number text\">" + (value.empty() ? "–" : escape(value)) + "</td>";
  }
  return text + "</tr>";
}

// A text per run, empty where the run has none.
template <class Function>
std::vector<std::string> each(const std::vector<RunReport>& runs, Function text_of) {
  std::vector<std::string> texts;
  for (const RunReport& run : runs) {
    texts.push_back(text_of(run));
  }
  return texts;
}

// What `key_of` gives for the items of every run, each once, in the order met.
template <class Items, class Function>
std::vector<std::string> union_of(const std::vector<RunReport>& runs, Items RunReport::*items, Function key_of) {
  std::vector<std::string> keys;
  for (const RunReport& run : runs) {
    for (const auto& item : run.*items) {
      if (std::find(keys.begin(), keys.end(), key_of(item)) == keys.end()) {
        keys.push_back(key_of(item));
      }
    }
  }
  return keys;
}

std::string score_rows(const std::vector<RunReport>& runs) {
  std::vector<std::optional<Score>> clean;
  for (const RunReport& run : runs) {
    clean.push_back(run.test ? std::optional<Score>({run.test->accuracy, run.test->interval}) : std::nullopt);
  }
  std::string text = score_row("Clean accuracy", clean);
  for (const std::string& name : union_of(runs, &RunReport::attacks, attack_name)) {
    std::vector<std::optional<Score>> robust;
    for (const RunReport& run : runs) {
      const auto attack = std::find_if(run.attacks.begin(), run.attacks.end(),
                                       [&](const RobustEvaluation& one) { return attack_name(one) == name; });
      robust.push_back(attack == run.attacks.end()
                           ? std::nullopt
                           : std::optional<Score>({attack->robust_accuracy, attack->robust_interval}));
    }
    text += score_row("Robust: " + name, robust);
  }
  return text;
}

std::string cost_rows(const std::vector<RunReport>& runs) {
  std::string text =
      text_row("Model", each(runs, [](const RunReport& run) { return setting(run.run, "model").value_or(""); }));
  text += text_row("Epochs", each(runs, [](const RunReport& run) {
                     return run.epochs.empty() ? std::string() : std::to_string(run.epochs.size());
                   }));
  const std::vector<std::string> labels =
      union_of(runs, &RunReport::cost, [](const std::pair<std::string, std::string>& row) { return row.first; });
  for (const std::string& label : labels) {
    text += text_row(label, each(runs, [&](const RunReport& run) {
                       const auto row = std::find_if(run.cost.begin(), run.cost.end(),
                                                     [&](const auto& one) { return one.first == label; });
                       return row == run.cost.end() ? std::string() : row->second;
                     }));
  }
  if (!labels.empty()) {
    return text;
  }
  // Runs without measured cost still have the log's seconds and memory.
  const auto last_bytes = [](const char* key) {
    return [key](const RunReport& run) {
      const ChartSeries series = epoch_series(run, key, "");
      return series.points.empty() ? std::string() : bytes_text(series.points.back().y);
    };
  };
  text += text_row("Training time", each(runs, [](const RunReport& run) {
                     double total = 0;
                     for (const ChartPoint& point : epoch_series(run, "seconds", "").points) {
                       total += point.y;
                     }
                     return total > 0 ? duration(total) : std::string();
                   }));
  text += text_row("Planned peak memory", each(runs, last_bytes("planned_peak_bytes")));
  return text + text_row("Peak host memory", each(runs, last_bytes("peak_rss_bytes")));
}

// The curves of all runs in one figure, where two runs or more have them.
std::string shared_curves(const std::vector<RunReport>& runs, ChartBook& book) {
  Chart accuracy{.title = "Validation accuracy",
                 .note = "One point an epoch.",
                 .x_label = "epoch",
                 .fraction = true,
                 .series = {}};
  Chart robust{.title = "Robust accuracy against eps",
               .note = "eps is the largest change of a pixel (black 0, white 1). Bands are 95% intervals.",
               .x_label = "eps",
               .fraction = true,
               .from_zero = true,
               .series = {}};
  for (const RunReport& run : runs) {
    if (ChartSeries series = epoch_series(run, "validation_accuracy", run.name); !series.points.empty()) {
      accuracy.series.push_back(std::move(series));
    }
    for (ChartSeries& series : eps_series(run)) {
      series.name = run.name + ", " + series.name;
      robust.series.push_back(std::move(series));
    }
  }
  std::string figures;
  for (const Chart& chart : {robust, accuracy}) {
    figures += chart.series.size() > 1 ? book.figure(chart) : "";
  }
  return figures.empty() ? "" : "<div class=\"charts\">" + figures + "</div>";
}

}  // namespace

std::string comparison(const std::vector<RunReport>& runs, ChartBook& book) {
  if (runs.size() < 2) {
    return "";
  }
  std::string table = "<div class=\"scroll\"><table class=\"comparison\"><thead><tr><td></td>";
  for (size_t i = 0; i < runs.size(); ++i) {
    table += "<th scope=\"col\" class=\"number\"><a href=\"#run-" + std::to_string(i + 1) + "\">" +
             escape(runs[i].name) + "</a></th>";
  }
  table += "</tr></thead><tbody>" + score_rows(runs) + cost_rows(runs) + "</tbody></table></div>";
  return "<div class=\"run\">" +
         section("Comparison",
                 "Clean and robust accuracies with 95% Wilson intervals, and the difference to " + runs[0].name +
                     " in percentage points. Where two intervals overlap, the difference may be chance.",
                 table + shared_curves(runs, book)) +
         "</div>";
}

}  // namespace fer::report
