#include "apps/reproduce_declaration.h"

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "apps/commands.h"
#include "tensor/error.h"
#include "train/options.h"

namespace fer::reproduce {

namespace {

using nlohmann::json;

// The figures of each command's result; * is any one key.
const std::vector<std::string>& figures(const std::string& command) {
  static const std::vector<std::string> eval = {"n",
                                                "accuracy",
                                                "loss",
                                                "macro.*",
                                                "weighted.*",
                                                "per_class.*.*",
                                                "confusion.*.*",
                                                "attacks.*.robust_accuracy",
                                                "attacks.*.clean_accuracy",
                                                "attacks.*.success_rate",
                                                "attacks.*.queries",
                                                "worst_case.robust_accuracy",
                                                "distortions.scores.*.*",
                                                "distortions.sections.*.parts.*.*",
                                                "distortions.sections.*.overall.*"};
  static const std::vector<std::string> train = [] {
    std::vector<std::string> all = {"accuracy",
                                    "loss",
                                    "n",
                                    "epochs",
                                    "seconds",
                                    "attack_seconds",
                                    "parameters.total",
                                    "parameters.trainable",
                                    "images.train",
                                    "images.validation",
                                    "images.test",
                                    "peak_rss_bytes",
                                    "planned_peak_bytes"};
    for (const std::string& figure : eval) {
      all.push_back("test." + figure);
    }
    return all;
  }();
  static const std::vector<std::string> attack = {"images", "generate_seconds", "store_seconds", "image_bytes",
                                                  "peak_rss_bytes"};
  static const std::vector<std::string> data = {"images",      "classes",           "subjects",          "per_class.*",
                                                "parts.train", "parts.public_test", "parts.private_test"};
  return command == "train" ? train : command == "attack" ? attack : command == "data" ? data : eval;
}

std::vector<std::string> keys_of(const std::string& path) {
  std::vector<std::string> keys;
  std::istringstream stream(path);
  for (std::string key; std::getline(stream, key, '.');) {
    keys.push_back(key);
  }
  return keys;
}

bool is_figure(const std::string& command, const std::string& path) {
  const std::vector<std::string> keys = keys_of(path);
  return std::any_of(figures(command).begin(), figures(command).end(), [&](const std::string& pattern) {
    const std::vector<std::string> wanted = keys_of(pattern);
    return wanted.size() == keys.size() &&
           std::equal(wanted.begin(), wanted.end(), keys.begin(),
                      [](const std::string& a, const std::string& b) { return a == "*" || a == b; });
  });
}

// An object of the declaration, read key by key; every error says where it stands.
class Reader {
 public:
  Reader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) {
      fail(where_, ": must be an object, is ", object.type_name());
    }
  }

  template <class T>
  T get(const char* key) {
    if (!object_.contains(key)) {
      fail(where_, ": has no '", key, "'");
    }
    return get<T>(key, T());
  }
  template <class T>
  T get(const char* key, T otherwise) {
    read_.insert(key);
    if (object_.contains(key)) {
      try {
        return object_.at(key).get<T>();
      } catch (const json::exception&) {
        fail(where_, ": '", key, "' cannot be ", object_.at(key).dump());
      }
    }
    return otherwise;
  }
  json object(const char* key) { return get<json>(key, json::object()); }
  bool has(const char* key) const { return object_.contains(key); }
  const std::string& where() const { return where_; }

  // After everything known was read.
  void end() const {
    for (const auto& [key, value] : object_.items()) {
      if (read_.count(key) == 0) {
        fail(where_, ": there is no key '", key, "'");
      }
    }
  }

 private:
  const json& object_;
  std::string where_;
  std::set<std::string> read_;
};

// `more` over `options`; null takes away.
void add_options(json& options, const json& more) {
  for (const auto& [key, value] : more.items()) {
    value.is_null() ? static_cast<void>(options.erase(key)) : static_cast<void>(options[key] = value);
  }
}

json joined(json options, const json& more) {
  for (const auto& [key, value] : more.items()) {
    options[key] = value;  // null stays: it takes away what a protocol adds
  }
  return options;
}

// Every string in it with {what} replaced.
json replaced_in(json value, const std::string& what, const std::string& by) {
  if (value.is_string()) {
    return replaced(value.get<std::string>(), what, by);
  }
  if (value.is_structured()) {
    for (json& one : value) {
      one = replaced_in(one, what, by);
    }
  }
  return value;
}

// What the paper says of all its steps of a command.
struct Defaults {
  json common, by_protocol[std::size(protocols)], quick;

  Defaults(const json& paper, const std::string& command) {
    common = paper.value("defaults", json::object()).value(command, json::object());
    for (size_t p = 0; p < std::size(protocols); ++p) {
      by_protocol[p] = paper.at("protocols").at(protocols[p]).value(command, json::object());
    }
    quick = paper.at("quick").value(command, json::object());
  }
};

Step read_step(const json& paper, const std::string& name, const json& declared) {
  Reader reader(declared, "step " + name);
  Step step;
  step.name = name;
  step.command = reader.get<std::string>("command");
  if (step.command != "data" && step.command != "train" && step.command != "attack" && step.command != "eval") {
    fail(reader.where(), ": command '", step.command, "' is none of data, train, attack, eval");
  }
  const Defaults defaults(paper, step.command);
  const json own = reader.object("options");
  step.options = joined(defaults.common, own);
  for (size_t p = 0; p < std::size(protocols); ++p) {
    // The step's own options win over what the protocol says of all steps.
    step.by_protocol[p] = joined(joined(defaults.by_protocol[p], own), reader.object(protocols[p]));
  }
  step.quick = joined(defaults.quick, reader.object("quick"));
  step.needs_weights = reader.get("needs_weights", false);
  step.passes = reader.get("passes", 1.0);
  step.versions = reader.get<int64_t>("versions", 1);
  if (reader.has("only")) {
    const auto only = reader.get<std::string>("only");
    for (size_t p = 0; p < std::size(protocols); ++p) {
      step.in_protocol[p] = only == protocols[p];
    }
    if (!step.in_protocol[0] && !step.in_protocol[1]) {
      fail(reader.where(), ": 'only' is '", only, "'; must be paper or honest");
    }
  }
  reader.end();
  return step;
}

// Each training also in variants, and evaluated in the ways that the paper declares once for all.
void add_step(Paper& paper, const json& declared, const std::string& name, const json& step) {
  if (paper.find_step(name) != nullptr) {
    fail("step ", name, ": stands there twice");
  }
  paper.steps.push_back(read_step(declared, name, step));
  if (step.at("command") != "train") {
    return;
  }
  const json each = declared.value("each_training", json::object());
  const json variants = each.value("variants", json::object());
  const json evaluations = each.value("evaluations", json::object());
  for (const auto& [suffix, more] : variants.items()) {
    json variant = step;
    variant["options"] = joined(step.value("options", json::object()), more);
    paper.steps.push_back(read_step(declared, name + suffix, variant));
  }
  for (const auto& [suffix, evaluation] : evaluations.items()) {
    json filled = replaced_in(evaluation, "{training}", name);
    if (step.contains("only")) {
      filled["only"] = step.at("only");
    }
    paper.steps.push_back(read_step(declared, name + suffix, filled));
  }
}

// The commands' own parsers, to ask them which options there are.
const CLI::App& program() {
  static CLI::App* const app = [] {
    static CLI::App all;
    add_train_command(all);
    add_eval_command(all);
    add_attack_command(all);
    return &all;
  }();
  return *app;
}

void check_step(const Paper& paper, size_t index) {
  const Step& step = paper.steps[index];
  for (size_t p = 0; p < std::size(protocols); ++p) {
    for (const bool quick : {false, true}) {
      if (!step.in_protocol[p]) {
        continue;
      }
      const std::string where = "step " + step.name + " (" + protocols[p] + (quick ? ", quick)" : ")");
      const json options = step_options(step, p, quick, 0);
      for (const std::string& name : references(options)) {
        const auto known = std::find_if(paper.steps.begin(), paper.steps.begin() + static_cast<std::ptrdiff_t>(index),
                                        [&](const Step& other) { return other.name == name; });
        if (known == paper.steps.begin() + static_cast<std::ptrdiff_t>(index) || !known->in_protocol[p]) {
          fail(where, ": refers to @", name, ", which is no step before it");
        }
      }
      if (step.command == "data") {
        for (const auto& [key, value] : options.items()) {
          if (key != "labels") {
            fail(where, ": data has no option '", key, "'");
          }
        }
        continue;
      }
      const CLI::App* command = program().get_subcommand(step.command);
      for (const auto& [key, value] : options.items()) {
        const bool positional = key == (step.command == "eval" ? "run" : step.command == "attack" ? "attacks" : "");
        if (!positional && command->get_option_no_throw("--" + replaced(key, "_", "-")) == nullptr) {
          fail(where, ": fer ", step.command, " has no option --", replaced(key, "_", "-"));
        }
      }
      if (step.command == "train") {
        json checked = options;
        if (checked.value("adversarial", "").starts_with("stored:")) {
          checked["adversarial"] = "stored:set.safetensors";
        }
        try {
          train_options_from_json(checked).check();
        } catch (const Error& error) {
          fail(where, ": ", error.what());
        }
      }
    }
  }
}

// Both protocols' paths from one string, or from {"paper": …, "honest": …}.
void read_path(const json& path, const std::string& where, std::string (&into)[std::size(protocols)]) {
  for (size_t p = 0; p < std::size(protocols); ++p) {
    const json& one = path.is_object() && path.contains(protocols[p]) ? path.at(protocols[p]) : path;
    if (!one.is_string()) {
      fail(where, ": 'path' must be a string, or an object with one for paper and one for honest");
    }
    into[p] = one.get<std::string>();
  }
}

void check_source(const Paper& paper, const std::string& where, const std::string& name, const std::string& path) {
  const Step* step = paper.find_step(name);
  if (step == nullptr) {
    fail(where, ": there is no step '", name, "'");
  }
  if (!is_figure(step->command, path)) {
    fail(where, ": the result of ", name, " (", step->command, ") has no figure '", path, "'");
  }
}

Cell read_cell(const Paper& paper, const json& declared, const std::string& where) {
  static const std::set<std::string> kinds = {"accuracy", "recall",  "precision", "share", "loss",
                                              "count",    "seconds", "bytes",     "number"};
  Reader reader(declared, where);
  Cell cell;
  cell.printed = reader.get<json>("printed", json());
  cell.kind = reader.get<std::string>("kind");
  cell.step = reader.get<std::string>("step", "");
  cell.minus = reader.get<std::string>("minus", "");
  cell.reason = reader.get<std::string>("reason", "");
  const json path = reader.get<json>("path", json());
  reader.end();
  if (kinds.count(cell.kind) == 0) {
    fail(where, ": kind '", cell.kind, "' is unknown");
  }
  if (!cell.printed.is_null() && !cell.printed.is_number()) {
    fail(where, ": 'printed' must be a number or null, is ", cell.printed.dump());
  }
  if (cell.step.empty()) {
    if (cell.reason.empty()) {
      fail(where, ": needs a 'step', or a 'reason' why there is none");
    }
    return cell;
  }
  read_path(path, where, cell.path);
  for (const std::string& one : cell.path) {
    check_source(paper, where, cell.step, one);
    if (!cell.minus.empty()) {
      check_source(paper, where, cell.minus, one);
    }
  }
  return cell;
}

// "honest mobilenet:test.accuracy"
Worth::Source read_source(const Paper& paper, const std::string& text, const std::string& where) {
  const size_t space = text.find(' '), colon = text.find(':');
  if (space == std::string::npos || colon == std::string::npos || colon < space) {
    fail(where, ": '", text, "' must look like \"honest mobilenet:test.accuracy\"");
  }
  Worth::Source source;
  source.step = text.substr(space + 1, colon - space - 1);
  source.path = text.substr(colon + 1);
  const std::string protocol = text.substr(0, space);
  source.protocol = static_cast<size_t>(std::find(protocols, std::end(protocols), protocol) - protocols);
  if (source.protocol == std::size(protocols)) {
    fail(where, ": protocol '", protocol, "' must be paper or honest");
  }
  check_source(paper, where, source.step, source.path);
  return source;
}

// A row has its cells one by one, or `printed` for each column: the column says which figure, {step} and {key} in it
// are the row's.
std::vector<std::optional<Cell>> read_row(const Paper& paper, const json& declared, const json& columns,
                                          const std::string& where) {
  Reader reader(declared, where);
  reader.get<std::string>("name");
  const auto step = reader.get<std::string>("step", ""), key = reader.get<std::string>("key", ""),
             reason = reader.get<std::string>("reason", "");
  const auto given = reader.get<std::vector<json>>(reader.has("cells") ? "cells" : "printed");
  reader.end();
  if (given.size() != columns.size()) {
    fail(where, ": ", given.size(), " cells for ", columns.size(), " columns");
  }
  std::vector<std::optional<Cell>> row;
  for (size_t c = 0; c < given.size(); ++c) {
    const std::string place = where + ", column '" + columns[c].at("name").get<std::string>() + "'";
    json cell = given[c];
    if (!reader.has("cells")) {
      cell = columns[c];
      cell.erase("name");
      cell["printed"] = given[c];
      if (!reason.empty()) {
        cell.erase("step");
        cell.erase("path");
        cell["reason"] = reason;
      } else if (!cell.contains("step") && !cell.contains("reason")) {
        cell["step"] = step;
      }
      cell = replaced_in(replaced_in(cell, "{step}", step), "{key}", key);
    }
    if (cell.is_null()) {
      row.emplace_back();
    } else {
      row.push_back(read_cell(paper, cell, place));
    }
  }
  return row;
}

Table read_table(const Paper& paper, const json& declared) {
  Reader reader(declared, "table " + declared.value("id", "without id"));
  Table table;
  table.id = reader.get<std::string>("id");
  table.title = reader.get<std::string>("title");
  table.flaw = reader.get<std::string>("flaw");
  const json columns = reader.get<json>("columns");
  for (const json& column : columns) {
    table.columns.push_back(column.at("name").get<std::string>());
  }
  for (const json& row : reader.get<json>("rows")) {
    table.rows.push_back(row.value("name", ""));
    table.cells.push_back(read_row(paper, row, columns, reader.where() + ", row '" + table.rows.back() + "'"));
  }
  for (const json& worth : reader.get<json>("worth", json::array())) {
    Reader one(worth, reader.where() + ", worth");
    Worth read;
    read.label = one.get<std::string>("label");
    read.kind = one.get<std::string>("kind", "accuracy");
    read.a = read_source(paper, one.get<std::string>("of"), one.where());
    read.b = read_source(paper, one.get<std::string>("minus"), one.where());
    one.end();
    table.worths.push_back(std::move(read));
  }
  table.chart_x = reader.get("chart_x", std::vector<double>());
  table.chart_label = reader.get<std::string>("chart_label", "");
  reader.end();
  if (!table.chart_x.empty() && table.chart_x.size() != table.rows.size()) {
    fail(reader.where(), ": 'chart_x' has ", table.chart_x.size(), " entries for ", table.rows.size(), " rows");
  }
  return table;
}

}  // namespace

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

const Step* Paper::find_step(const std::string& name) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.name == name; });
  return found == steps.end() ? nullptr : &*found;
}

const Table& Paper::find_table(const std::string& id) const {
  for (const Table& table : tables) {
    if (table.id == id || table.id == "table" + id) {
      return table;
    }
  }
  fail("paper ", number, " has no table '", id, "'; there are ", comma_list(tables, &Table::id));
}

Paper parse_paper(const json& declared) {
  Paper paper;
  try {
    Reader reader(declared, "paper " + declared.value("paper", "without number"));
    paper.number = reader.get<std::string>("paper");
    paper.title = reader.get<std::string>("title");
    paper.data = reader.get<std::string>("data");
    const json by_protocol = reader.get<json>("protocols"), quick = reader.get<json>("quick");
    for (size_t p = 0; p < std::size(protocols); ++p) {
      paper.about[p] = by_protocol.at(protocols[p]).at("about").get<std::string>();
      by_protocol.at(protocols[p]).at("seeds").get_to(paper.seeds[p]);
    }
    quick.at("about").get_to(paper.quick_about);
    quick.at("images").get_to(paper.quick_images);
    reader.object("defaults");
    reader.object("each_training");
    for (const json& step : reader.get<json>("steps")) {
      json rest = step;
      rest.erase("name");
      add_step(paper, declared, step.at("name").get<std::string>(), rest);
    }
    for (size_t i = 0; i < paper.steps.size(); ++i) {
      check_step(paper, i);
    }
    for (const json& table : reader.get<json>("tables")) {
      paper.tables.push_back(read_table(paper, table));
    }
    reader.end();
  } catch (const json::exception& error) {
    fail("declaration of paper ", paper.number, ": ", error.what());
  } catch (const Error& error) {
    fail("declaration of paper ", paper.number, ": ", error.what());
  }
  return paper;
}

json step_options(const Step& step, size_t protocol, bool quick, int64_t shorten) {
  json options = step.options;
  add_options(options, step.by_protocol[protocol]);
  if (quick) {
    add_options(options, step.quick);
  }
  for (auto it = options.begin(); it != options.end();) {
    it = it->is_null() ? options.erase(it) : std::next(it);
  }
  if (shorten > 0 && step.command == "train") {
    options["epochs"] = std::min(shorten, options.value("epochs", TrainOptions().epochs));
  }
  return options;
}

std::vector<std::string> references(const json& options) {
  static const std::regex name("@([A-Za-z0-9_]+)");
  const std::string text = options.dump();
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

const json* find_figure(const json& result, const std::string& path, const json** parent) {
  const json* at = &result;
  const json* classes = nullptr;
  for (const std::string& key : keys_of(path)) {
    if (parent != nullptr) {
      *parent = at;
    }
    if (at->is_object()) {
      classes = at->contains("classes") ? &at->at("classes") : classes;
      if (!at->contains(key)) {
        return nullptr;
      }
      at = &at->at(key);
    } else if (at->is_array()) {
      size_t index = at->size();
      if (key.find_first_not_of("0123456789") == std::string::npos) {
        index = std::stoul(key);
      } else {
        for (size_t i = 0; i < at->size(); ++i) {
          const json& one = at->at(i);
          const bool named = one.is_object() && (one.value("name", "") == key || one.value("kind", "") == key);
          if (named || (!one.is_object() && classes != nullptr && i < classes->size() && classes->at(i) == key)) {
            index = i;
            break;
          }
        }
      }
      if (index >= at->size()) {
        return nullptr;
      }
      at = &at->at(index);
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace fer::reproduce
