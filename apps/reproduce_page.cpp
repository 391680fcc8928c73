#include "apps/reproduce_page.h"

#include <cmath>

#include "analysis/chart.h"
#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_style.h"

namespace fer::reproduce {

namespace {

using nlohmann::json;

constexpr std::string_view more_style = R"css(
.cells td { vertical-align: top; }
.cells td b { font-weight: 600; }
.cells .ours, .cells .idle { display: block; font-size: .82rem; white-space: nowrap; }
.cells .idle { color: var(--muted); }
.cells .failed { color: var(--wrong); white-space: normal; min-width: 9rem; }
.ours i { font-style: normal; color: var(--muted); }
.worth { margin: .2rem 0 .9rem; padding-left: 1.1rem; font-size: .92rem; }
.runs td { font-size: .82rem; vertical-align: top; overflow-wrap: anywhere; }
.runs code { font-size: .78rem; }
)css";

bool is_fraction(const std::string& kind) {
  return kind == "accuracy" || kind == "recall" || kind == "precision" || kind == "share";
}

std::string number(double value, const std::string& kind) {
  if (is_fraction(kind)) {
    return format::percent(value);
  }
  if (kind == "count") {
    return value == std::round(value) ? format::grouped(std::llround(value)) : format::fixed(value, 1);
  }
  return kind == "seconds" ? format::duration(value)
         : kind == "bytes" ? format::bytes_text(value)
         : kind == "loss"  ? format::fixed(value, 3)
                           : format::compact(value);
}

std::string difference(double value, const std::string& kind) {
  if (is_fraction(kind)) {
    return format::points(value);
  }
  return (value < 0 ? "−" : value > 0 ? "+" : "±") + number(std::abs(value), kind);
}

std::string reason_of(const json& ours) {
  if (!ours.contains("reason")) {
    return "";
  }
  if (ours["reason"].is_string()) {
    return ours["reason"].get<std::string>();
  }
  std::string text;
  for (const json& one : ours["reason"]) {
    text += (text.empty() ? "" : "; ") + one.get<std::string>();
  }
  return text;
}

// One protocol's line of a cell.
std::string line_of(const json& ours, const std::string& protocol, const std::string& kind) {
  const std::string state = ours.at("state"), reason = html::escape(reason_of(ours));
  if (state == "failed") {
    return "<span class=\"idle failed\">" + protocol + ": failed: " + reason + "</span>";
  }
  if (state != "done") {
    return "<span class=\"idle\"" + (reason.empty() ? "" : " title=\"" + reason + "\"") + ">" + protocol +
           ": not run</span>";
  }
  std::string text = "<span class=\"ours\" title=\"" + html::escape(ours.at("settings").get<std::string>()) + "\">" +
                     protocol + ": <b>" + number(ours.at("value").get<double>(), kind) + "</b>";
  if (ours.contains("difference")) {
    text += " <i>" + difference(ours["difference"].get<double>(), kind) + "</i>";
  }
  if (ours.contains("interval")) {
    text += " <i>[" + format::percent_range({ours["interval"][0], ours["interval"][1]}) + "]</i>";
  }
  if (ours.contains("spread")) {
    text += " <i>" + number(ours["spread"]["lowest"], kind) + " to " + number(ours["spread"]["highest"], kind) +
            " over " + std::to_string(ours["seeds"].size()) + " seeds</i>";
  }
  if (const std::string label = ours.at("label"); !label.empty()) {
    text += " <i>(" + html::escape(label) + ")</i>";
  }
  return text + "</span>";
}

std::string cell_html(const json& cell) {
  const std::string kind = cell.at("kind");
  const json& printed = cell.at("printed");
  std::string text = printed.is_null() ? "<span class=\"idle\">not printed</span>"
                                       : "<b>" + number(printed.get<double>(), kind) + "</b>";
  for (const char* protocol : protocols) {
    text += line_of(cell.at(protocol), protocol, kind);
  }
  return "<td>" + text + "</td>";
}

std::string worth_html(const json& table) {
  std::string items;
  for (const json& worth : table.at("worth")) {
    const std::string kind = worth.at("kind");
    items += "<li>" + html::escape(worth.at("label").get<std::string>()) + ": ";
    if (worth.at("state") == "done") {
      items += "<b>" + difference(worth["difference"].get<double>(), kind) + "</b> (" +
               number(worth["of"].get<double>(), kind) + " against " + number(worth["minus"].get<double>(), kind) +
               ")</li>";
    } else {
      items += "not measured</li>";
    }
  }
  return items.empty() ? "" : "<ul class=\"worth\">" + items + "</ul>\n";
}

std::string chart_html(const json& table, ChartBook& book) {
  if (table.at("chart_x").empty()) {
    return "";
  }
  Chart chart;
  chart.title = table.at("columns")[0];
  chart.note = "Printed, and ours with the interval of one run.";
  chart.x_label = table.at("chart_label");
  chart.series = {{"printed", {}}, {"paper protocol", {}}, {"honest protocol", {}}};
  for (const json& cell : table.at("cells")) {
    if (cell.at("place")[1] != 0) {
      continue;
    }
    const double x = table["chart_x"][cell.at("place")[0].get<size_t>()];
    chart.fraction = is_fraction(cell.at("kind"));
    if (cell.at("printed").is_number()) {
      chart.series[0].points.push_back({x, cell["printed"].get<double>(), {}, {}});
    }
    for (size_t p = 0; p < std::size(protocols); ++p) {
      const json& ours = cell.at(protocols[p]);
      if (ours.contains("value")) {
        ChartPoint point{x, ours["value"].get<double>(), {}, {}};
        if (ours.contains("interval")) {
          point.low = ours["interval"][0].get<double>();
          point.high = ours["interval"][1].get<double>();
        }
        chart.series[1 + p].points.push_back(point);
      }
    }
  }
  std::erase_if(chart.series, [](const ChartSeries& series) { return series.points.empty(); });
  return chart.series.empty() ? "" : "<div class=\"charts\">" + book.figure(chart) + "</div>\n";
}

std::string table_html(const json& table, ChartBook& book) {
  std::string head = "<tr><td></td>";
  for (const json& column : table.at("columns")) {
    head += "<th scope=\"col\">" + html::escape(column.get<std::string>()) + "</th>";
  }
  std::vector<std::vector<std::string>> grid(table.at("rows").size(),
                                             std::vector<std::string>(table.at("columns").size(), "<td></td>"));
  for (const json& cell : table.at("cells")) {
    grid[cell.at("place")[0].get<size_t>()][cell.at("place")[1].get<size_t>()] = cell_html(cell);
  }
  std::string body;
  for (size_t r = 0; r < grid.size(); ++r) {
    body += "<tr><th scope=\"row\">" + html::escape(table["rows"][r].get<std::string>()) + "</th>";
    for (const std::string& cell : grid[r]) {
      body += cell;
    }
    body += "</tr>\n";
  }
  return "<section id=\"" + html::escape(table.at("id").get<std::string>()) + "\"><h3>" +
         html::escape(table.at("title").get<std::string>()) + "</h3><p class=\"note\">" +
         html::escape(table.at("flaw").get<std::string>()) + "</p>\n" + worth_html(table) +
         "<div class=\"scroll\"><table class=\"cells\"><thead>" + head + "</tr></thead><tbody>" + body +
         "</tbody></table></div>\n" + chart_html(table, book) + "</section>\n";
}

std::string runs_html(const json& runs) {
  std::string body;
  for (const json& run : runs) {
    const auto text = [&](const char* key) { return html::escape(run.value(key, "")); };
    const std::string error = run.contains("error") ? ": " + text("error") : "";
    body += "<tr><td>" + text("step") + "</td><td>" + text("protocol") + "</td><td class=\"number\">" +
            std::to_string(run.value("seed", 0)) + "</td><td>" + text("state") + error + "</td><td>" + text("label") +
            "</td><td class=\"number\">" +
            (run.contains("seconds") ? format::duration(run["seconds"].get<double>()) : "") + "</td><td><code>" +
            text("command") + "</code></td></tr>\n";
  }
  return "<section id=\"runs\"><h3>What was run</h3><p class=\"note\">Every step with the command that did it; OUT is "
         "the output folder.</p><div class=\"scroll\"><table class=\"runs\"><thead><tr><th>step</th><th>protocol</th>"
         "<th>seed</th><th>state</th><th>shortened</th><th>time</th><th>command</th></tr></thead><tbody>" +
         body + "</tbody></table></div></section>\n";
}

}  // namespace

std::string render_page(const json& results) {
  const std::string title = "Paper " + results.at("paper").get<std::string>() + ", reproduced";
  const json& about = results.at("protocols");
  ChartBook book;
  std::string tables, links;
  for (const json& table : results.at("tables")) {
    const std::string id = html::escape(table.at("id").get<std::string>());
    links += "<a href=\"#" + id + "\">" + id + "</a>";
    tables += table_html(table, book);
  }
  std::string main =
      "<section><h3>How to read this page</h3>"
      "<p>Each cell has the printed number first and, below it, ours in two protocols with the difference from the "
      "printed one, Wilson's 95% interval where it is a proportion, and the spread over seeds. What was not run says "
      "so; the reason and the settings show under the pointer.</p>";
  for (const char* name : {"paper", "honest", "quick"}) {
    main += "<p><b>" + std::string(name) + "</b>: " + html::escape(about.at(name).get<std::string>()) + "</p>";
  }
  main += "<p><b>data</b>: " + html::escape(results.at("data").get<std::string>()) + "</p></section>\n" + tables +
          runs_html(results.at("runs"));
  return html::page({.title = title,
                     .style = std::string(report::style_sheet) + std::string(more_style),
                     .header = "<p class=\"maker\">Ferrotype</p><h1>" + html::escape(title) + "</h1><p>" +
                               html::escape(results.at("title").get<std::string>()) +
                               "</p><nav aria-label=\"Tables\">" + links + "<a href=\"#runs\">runs</a></nav>",
                     .main = std::move(main)});
}

}  // namespace fer::reproduce
