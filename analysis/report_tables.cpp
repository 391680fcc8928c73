// Robustness, cost and settings.
#include <cmath>

#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"

namespace fer::report {

using namespace format;
using html::escape;

namespace {

// An accuracy on a track from 0 to 100%: a dot, and a bar as wide as its interval.
std::string range_row(const char* kind, double value, const Interval& interval) {
  return std::string("<span class=\"range ") + kind + "\"><i style=\"left:" + fixed(100 * interval.low, 1) +
         "%;width:" + fixed(100 * (interval.high - interval.low), 1) +
         "%\"></i><em style=\"left:" + fixed(100 * value, 1) + "%\"></em></span>";
}

// `label` heads the value where the screen is too narrow for columns.
std::string number_cell(const char* label, const std::string& value, const std::string& below = "") {
  return std::string("<td class=\"number\" data-label=\"") + label + "\"><span>" + value + "</span>" +
         (below.empty() ? "" : "<small>" + below + "</small>") + "</td>";
}

std::string attack_row(const RobustEvaluation& attack) {
  const std::string none = "–";
  const std::string queries = attack.queries >= 100 ? grouped(std::llround(attack.queries)) : fixed(attack.queries, 1);
  return "<tr><th scope=\"row\">" + escape(attack_name(attack)) + "</th>" +
         number_cell("Clean", percent(attack.clean_accuracy), percent_range(attack.clean_interval)) +
         number_cell("Robust", percent(attack.robust_accuracy), percent_range(attack.robust_interval)) +
         "<td class=\"ranges\" aria-hidden=\"true\">" +
         range_row("clean", attack.clean_accuracy, attack.clean_interval) +
         range_row("robust", attack.robust_accuracy, attack.robust_interval) + "</td>" +
         number_cell("Success", percent(attack.success_rate)) +
         number_cell("Queries", attack.queries > 0 ? queries : none) + number_cell("Images", grouped(attack.n)) +
         number_cell("Time", attack.seconds > 0 ? duration(attack.seconds) : none) + "</tr>";
}

// run.json as rows, nested objects under their own heading.
void settings_rows(const nlohmann::json& object, const std::string& group, std::string& text) {
  std::string rows, nested;
  for (const auto& entry : object.items()) {
    if (entry.value().is_object()) {
      settings_rows(entry.value(), group.empty() ? entry.key() : group + " / " + entry.key(), nested);
    } else {
      rows +=
          "<tr><th scope=\"row\">" + escape(entry.key()) + "</th><td>" + escape(plain(entry.value())) + "</td></tr>";
    }
  }
  if (!rows.empty()) {
    text += "<div class=\"group\">" + (group.empty() ? "" : "<h4>" + escape(group) + "</h4>") +
            "<table class=\"pairs\"><tbody>" + rows + "</tbody></table></div>";
  }
  text += nested;
}

}  // namespace

std::string attack_name(const RobustEvaluation& attack) {
  if (!attack.description.empty()) {
    return attack.description;
  }
  return attack.attack + (attack.eps > 0 ? " eps " + eps_text(attack.eps) : "");
}

std::string plain(const nlohmann::json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_boolean()) {
    return value.get<bool>() ? "yes" : "no";
  }
  if (value.is_null()) {
    return "none";
  }
  if (value.is_number_float()) {
    return compact(value.get<double>());
  }
  if (value.is_array()) {
    return comma_list(value, plain);
  }
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<std::string> setting(const nlohmann::json& run, const std::string& key) {
  if (!run.is_object()) {
    return std::nullopt;
  }
  if (run.contains(key) && !run[key].is_object()) {
    return plain(run[key]);
  }
  for (const nlohmann::json& group : run) {
    if (group.is_object() && group.contains(key) && !group[key].is_object()) {
      return plain(group[key]);
    }
  }
  return std::nullopt;
}

std::string robustness(const RunReport& run, ChartBook& book) {
  if (run.attacks.empty()) {
    return "";
  }
  std::string body;
  if (std::vector<ChartSeries> series = eps_series(run); !series.empty()) {
    body += "<div class=\"charts\">" +
            book.figure({.title = "Accuracy against eps",
                         .note = "eps is the largest change of a pixel (black 0, white 1). Bands are 95% intervals.",
                         .x_label = "eps",
                         .fraction = true,
                         .from_zero = true,
                         .series = std::move(series)}) +
            "</div>";
  }
  body +=
      "<div class=\"scroll\"><table class=\"attacks\"><thead><tr><th scope=\"col\">Attack</th>"
      "<th scope=\"col\" class=\"number\">Clean</th><th scope=\"col\" class=\"number\">Robust</th>"
      "<th scope=\"col\" class=\"ranges\"><span>0%</span><span>100%</span></th>"
      "<th scope=\"col\" class=\"number\">Success</th><th scope=\"col\" class=\"number\">Queries</th>"
      "<th scope=\"col\" class=\"number\">Images</th><th scope=\"col\" class=\"number\">Time</th></tr></thead><tbody>";
  for (const RobustEvaluation& attack : run.attacks) {
    body += attack_row(attack);
  }
  return section("Robustness",
                 "Clean and robust accuracy on the same images, with 95% Wilson intervals (ring: clean, dot: robust). "
                 "Success: share of the images classified right before that the attack turned. Queries: mean number "
                 "of times the network was asked, an image.",
                 body + "</tbody></table></div>");
}

std::string distortions(const RunReport& run) {
  if (!run.distortions.is_object()) {
    return "";
  }
  std::string rows;
  const auto row = [&](const std::string& name, const nlohmann::json& scores) {
    const auto accuracy = scores.at("accuracy").get<double>();
    const Interval interval{scores.at("interval").at(0).get<double>(), scores.at("interval").at(1).get<double>()};
    rows += "<tr><th scope=\"row\">" + escape(name) + "</th>" +
            number_cell("Accuracy", percent(accuracy), percent_range(interval)) +
            "<td class=\"ranges\" aria-hidden=\"true\">" + range_row("robust", accuracy, interval) + "</td>" +
            number_cell("Loss", fixed(scores.at("loss").get<double>(), 3)) +
            number_cell("Images", grouped(scores.at("n").get<int64_t>())) + "</tr>";
  };
  for (const nlohmann::json& scores : run.distortions.at("scores")) {
    row(scores.at("name").get<std::string>(), scores);
  }
  for (const auto& [style, sections] : run.distortions.at("sections").items()) {
    row(style + ", a fifth of the set each", sections.at("overall"));
  }
  std::string note = "Accuracy on distorted versions of the same images, with 95% Wilson intervals.";
  for (const auto& [style, mce] : run.distortions.at("mce").items()) {
    note += " " + style + ": mCE " + percent(mce.at("mce").get<double>()) + " against " +
            mce.at("reference").get<std::string>() + ".";
  }
  return section("Distortions", note,
                 "<div class=\"scroll\"><table class=\"attacks\"><thead><tr><th scope=\"col\">Distortion</th>"
                 "<th scope=\"col\" class=\"number\">Accuracy</th>"
                 "<th scope=\"col\" class=\"ranges\"><span>0%</span><span>100%</span></th>"
                 "<th scope=\"col\" class=\"number\">Loss</th><th scope=\"col\" class=\"number\">Images</th></tr>"
                 "</thead><tbody>" +
                     rows + "</tbody></table></div>");
}

std::string cost_table(const RunReport& run) {
  if (run.cost.empty()) {
    return "";
  }
  std::string rows;
  for (const auto& [label, value] : run.cost) {
    rows += "<tr><th scope=\"row\">" + escape(label) + "</th><td class=\"number\">" + escape(value) + "</td></tr>";
  }
  return section("Cost", "What training and using this network takes.",
                 "<table class=\"pairs cost\"><tbody>" + rows + "</tbody></table>");
}

std::string settings(const RunReport& run) {
  if (!run.run.is_object() || run.run.empty()) {
    return "";
  }
  std::string rows;
  settings_rows(run.run, "", rows);
  return "<section><details><summary><h3>Settings</h3><span class=\"note\">Everything needed to repeat the run: "
         "options, "
         "seed, versions, data digest.</span></summary><div class=\"groups\">" +
         rows + "</div></details></section>\n";
}

}  // namespace fer::report
