#include "analysis/report.h"

#include "analysis/html.h"
#include "analysis/report_parts.h"
#include "analysis/report_style.h"
#include "tensor/file.h"

namespace fer {

namespace {

std::string navigation(const std::vector<RunReport>& runs) {
  if (runs.size() < 2) {
    return "";
  }
  std::string text = "<nav aria-label=\"Runs\">";
  for (size_t i = 0; i < runs.size(); ++i) {
    text += "<a href=\"#run-" + std::to_string(i + 1) + "\">" + html::escape(runs[i].name) + "</a>";
  }
  return text + "</nav>";
}

std::string run_html(const RunReport& run, size_t index, ChartBook& book) {
  using namespace report;
  return "<article class=\"run\" id=\"run-" + std::to_string(index + 1) + "\"><h2>" + html::escape(run.name) + "</h2>" +
         facts(run) + headline(run) + learning_curves(run, book) + confusion_matrix(run) + class_table(run) +
         gallery(run) + robustness(run, book) + distortions(run) + attack_panels(run) + cost_table(run) +
         settings(run) + "</article>\n";
}

std::string scripts(const ChartBook& book) {
  const std::string library = book.data().empty() ? "" : report::chart_library(FER_CHART_JS);
  if (library.empty()) {
    return "";
  }
  return "<script type=\"application/json\" id=\"chart-data\">" + html::script_json(book.data()) +
         "</script>\n<script>" + html::script_text(library) + "</script>\n<script>" +
         std::string(report::chart_script) + "</script>\n";
}

}  // namespace

namespace report {

std::string chart_library(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) ? read_file(path) : "";
}

std::string facts(const RunReport& run) {
  constexpr std::pair<const char*, const char*> keys[] = {{"model", "model"},
                                                          {"data", "data"},
                                                          {"data_digest", "digest"},
                                                          {"split", "split"},
                                                          {"adversarial", "trained against"},
                                                          {"epochs", "epochs"},
                                                          {"batch", "batch"},
                                                          {"seed", "seed"},
                                                          {"device", "device"},
                                                          {"precision", "precision"}};
  std::string items;
  for (const auto& [key, label] : keys) {
    if (const std::optional<std::string> value = setting(run.run, key); value && !value->empty() && *value != "none") {
      items += "<li>" + std::string(label) + " <b>" + html::escape(*value) + "</b></li>";
    }
  }
  return items.empty() ? "" : "<ul class=\"facts\">" + items + "</ul>\n";
}

}  // namespace report

std::string render_report(const std::string& title, const std::vector<RunReport>& runs) {
  ChartBook book;
  std::string main = report::comparison(runs, book);
  for (size_t i = 0; i < runs.size(); ++i) {
    main += run_html(runs[i], i, book);
  }
  if (runs.empty()) {
    main += "<p class=\"note\">This report holds no runs.</p>\n";
  }
  return html::page(
      {.title = title,
       .style = std::string(report::style_sheet),
       .header = "<p class=\"maker\">Ferrotype report</p><h1>" + html::escape(title) + "</h1>" + navigation(runs),
       .main = std::move(main),
       .scripts = scripts(book)});
}

}  // namespace fer
