// The sections of a report, each a piece of HTML; empty text where the run has nothing to show. report.cpp puts them
// in order.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/chart.h"
#include "analysis/report.h"

namespace fer::report {

// A section with its heading and one line that says how to read it.
std::string section(std::string_view heading, std::string_view explanation, const std::string& body);

// A number with what it is above, and its interval and its basis below.
std::string tile(const std::string& label, const std::string& value, const std::string& detail,
                 const std::string& basis = "");

// The runs side by side; `book` gains the curves drawn over each other.
std::string comparison(const std::vector<RunReport>& runs, ChartBook& book);

// The text of Chart.js at `path`; empty when there is no such file, and the page keeps its SVG curves.
std::string chart_library(const std::filesystem::path& path);

// What was trained on what, in a line of short facts.
std::string facts(const RunReport& run);

std::string headline(const RunReport& run);
std::string learning_curves(const RunReport& run, ChartBook& book);
std::string confusion_matrix(const RunReport& run);
std::string class_table(const RunReport& run);
std::string gallery(const RunReport& run);
std::string attack_panels(const RunReport& run);
std::string robustness(const RunReport& run, ChartBook& book);
std::string distortions(const RunReport& run);
std::string cost_table(const RunReport& run);
std::string settings(const RunReport& run);

// Curves of the run's epochs: the values of `key` that are finite numbers.
ChartSeries epoch_series(const RunReport& run, const std::string& key, std::string name);

// Robust accuracy against eps, one series an attack that was run at two strengths or more, clean accuracy at eps 0.
std::vector<ChartSeries> eps_series(const RunReport& run);

// "fgsm eps 0.03, seed 0": how an attack is called in tables.
std::string attack_name(const RobustEvaluation& attack);

// A setting of run.json as text, looked for at the top and then one level down ("options", "data", …).
std::optional<std::string> setting(const nlohmann::json& run, const std::string& key);

// JSON scalars and lists as a person would write them.
std::string plain(const nlohmann::json& value);

}  // namespace fer::report
