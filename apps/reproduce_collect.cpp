#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/metrics.h"
#include "apps/common.h"
#include "apps/reproduce_page.h"

namespace fer::reproduce {

namespace {

using nlohmann::json;

// How many trials a proportion is of: a number beside it in its parent.
const char* trials_key(const std::string& kind) {
  return kind == "accuracy" ? "n" : kind == "recall" ? "support" : kind == "precision" ? "predicted" : nullptr;
}

class Collector {
 public:
  Collector(const Paper& paper, const std::vector<Task>& tasks, const Settings& settings)
      : paper_(paper), tasks_(tasks), settings_(settings) {}

  // The figure over all seeds that were run.
  json figure(const std::string& step, const std::string& minus, const std::string& path, const std::string& kind,
              size_t protocol) {
    const Step& declared = *paper_.find_step(step);
    if (!declared.in_protocol[protocol]) {
      return not_run(std::string("not part of the ") + protocols[protocol] + " protocol");
    }
    const std::vector<json>& results = kept(declared, protocol);
    std::vector<double> values, trials;
    json seeds = json::array(), failures = json::array();
    std::string absent, label, command;
    for (const json& record : results) {
      if (record.value("state", "") == "failed") {
        failures.push_back("seed " + std::to_string(record.value("seed", 0)) + ": " + record.value("error", ""));
      }
      if (record.value("state", "") != "done") {
        continue;
      }
      const json* parent = nullptr;
      const json* found = find_figure(record.at("result"), path, &parent);
      double value = found != nullptr && found->is_number() ? found->get<double>() : 0;
      if (found != nullptr && !minus.empty()) {
        const json* other = of_seed(minus, path, protocol, record.value("seed", 0));
        found = other == nullptr ? nullptr : found;
        value -= other == nullptr ? 0 : other->get<double>();
      }
      if (found == nullptr || !found->is_number()) {
        absent = minus.empty() ? "these data give no " + path : "needs " + minus;
        continue;
      }
      values.push_back(value);
      seeds.push_back(record.value("seed", 0));
      label = record.value("label", "");
      command = record.value("command", "");
      const char* key = trials_key(kind);
      if (key != nullptr && minus.empty() && parent->contains(key)) {
        trials.push_back(parent->at(key).get<double>());
      }
    }
    if (values.empty()) {
      if (!failures.empty()) {
        return {{"state", "failed"}, {"reason", failures}};
      }
      return not_run(!absent.empty() ? absent : missing(declared, protocol));
    }
    json ours = {{"state", "done"}, {"step", step}, {"seeds", seeds}, {"label", label}, {"settings", command}};
    if (!failures.empty()) {
      ours["failed_seeds"] = failures;
    }
    add_statistics(ours, values, trials);
    return ours;
  }

  json runs() const {
    json all = json::array();
    for (const Step& step : paper_.steps) {
      for (size_t p = 0; p < std::size(protocols); ++p) {
        if (step.command == "data" && p > 0) {
          continue;
        }
        for (json record : kept_results(settings_.out, step, p)) {
          record.erase("result");
          all.push_back(std::move(record));
        }
      }
    }
    return all;
  }

 private:
  static json not_run(const std::string& reason) {
    json cell = {{"state", "not run"}};
    if (!reason.empty()) {
      cell["reason"] = reason;
    }
    return cell;
  }

  const std::vector<json>& kept(const Step& step, size_t protocol) {
    const std::string key = std::string(protocols[protocol]) + " " + step.name;
    const auto known = kept_.find(key);
    return known != kept_.end() ? known->second : kept_[key] = kept_results(settings_.out, step, protocol);
  }

  const json* of_seed(const std::string& step, const std::string& path, size_t protocol, int64_t seed) {
    for (const json& record : kept(*paper_.find_step(step), protocol)) {
      if (record.value("seed", 0) == seed && record.value("state", "") == "done") {
        const json* found = find_figure(record.at("result"), path);
        return found != nullptr && found->is_number() ? found : nullptr;
      }
    }
    return nullptr;
  }

  std::string missing(const Step& step, size_t protocol) const {
    for (const Task& task : tasks_) {
      if (task.step == &step && (task.protocol == protocol || step.command == "data") && !task.missing.empty()) {
        return task.missing;
      }
    }
    return "";
  }

  // The mean, its spread over seeds, and Wilson's interval of one run with the mean count.
  static void add_statistics(json& ours, const std::vector<double>& values, const std::vector<double>& trials) {
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    ours["value"] = mean;
    if (values.size() > 1) {
      double squares = 0;
      for (const double value : values) {
        squares += (value - mean) * (value - mean);
      }
      ours["values"] = values;
      ours["spread"] = {{"lowest", *std::min_element(values.begin(), values.end())},
                        {"highest", *std::max_element(values.begin(), values.end())},
                        {"standard_deviation", std::sqrt(squares / (count - 1))}};
    }
    if (trials.size() == values.size()) {
      const double n = std::accumulate(trials.begin(), trials.end(), 0.0) / count;
      const Interval interval = wilson_interval(std::llround(mean * n), std::llround(n));
      ours["n"] = std::llround(n);
      ours["interval"] = {interval.low, interval.high};
    }
  }

  const Paper& paper_;
  const std::vector<Task>& tasks_;
  const Settings& settings_;
  std::map<std::string, std::vector<json>> kept_;
};

json collect_cell(Collector& collector, const Cell& cell) {
  json collected = {{"kind", cell.kind}, {"printed", cell.printed}};
  for (size_t p = 0; p < std::size(protocols); ++p) {
    json ours = cell.step.empty() ? json{{"state", "not run"}, {"reason", cell.reason}}
                                  : collector.figure(cell.step, cell.minus, cell.path[p], cell.kind, p);
    if (ours.contains("value") && cell.printed.is_number()) {
      ours["difference"] = ours["value"].get<double>() - cell.printed.get<double>();
    }
    collected[protocols[p]] = std::move(ours);
  }
  return collected;
}

json collect_table(Collector& collector, const Table& table) {
  json cells = json::array(), worths = json::array();
  for (size_t r = 0; r < table.rows.size(); ++r) {
    for (size_t c = 0; c < table.columns.size(); ++c) {
      if (const auto& cell = table.cells[r][c]) {
        json collected = collect_cell(collector, *cell);
        collected["row"] = table.rows[r];
        collected["column"] = table.columns[c];
        collected["place"] = {r, c};
        cells.push_back(std::move(collected));
      }
    }
  }
  for (const Worth& worth : table.worths) {
    const json a = collector.figure(worth.a.step, "", worth.a.path, worth.kind, worth.a.protocol);
    const json b = collector.figure(worth.b.step, "", worth.b.path, worth.kind, worth.b.protocol);
    json one = {{"label", worth.label}, {"kind", worth.kind}, {"state", "not run"}};
    if (a.contains("value") && b.contains("value")) {
      one["state"] = "done";
      one["of"] = a["value"];
      one["minus"] = b["value"];
      one["difference"] = a["value"].get<double>() - b["value"].get<double>();
    }
    worths.push_back(std::move(one));
  }
  return {{"id", table.id},           {"title", table.title},     {"flaw", table.flaw},
          {"columns", table.columns}, {"rows", table.rows},       {"cells", cells},
          {"worth", worths},          {"chart_x", table.chart_x}, {"chart_label", table.chart_label}};
}

}  // namespace

json collect_results(const Paper& paper, const std::vector<Task>& tasks, const Settings& settings) {
  Collector collector(paper, tasks, settings);
  json tables = json::array(), about = json::object();
  for (const Table& table : paper.tables) {
    tables.push_back(collect_table(collector, table));
  }
  for (size_t p = 0; p < std::size(protocols); ++p) {
    about[protocols[p]] = paper.about[p];
  }
  about["quick"] = paper.quick_about;
  return {{"paper", paper.number},
          {"title", paper.title},
          {"data", paper.data},
          {"protocols", about},
          {"tables", tables},
          {"runs", collector.runs()},
          {"machine", machine_description()}};
}

}  // namespace fer::reproduce
