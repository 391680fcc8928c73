// fer bench compare
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

#include "apps/bench.h"
#include "apps/common.h"

namespace fer {

namespace {

using nlohmann::json;

// Numbers of a result that say what was measured, and not what came out.
constexpr const char* settings[] = {"batch",   "cores",      "images", "one_pixel_images", "fgsm_batch",
                                    "repeats", "parameters", "seed",   "threads",          "warm_up"};
constexpr const char* lists[] = {"layers", "operations", "stages"};
constexpr const char* identity[] = {"stage", "scope", "operation", "phase", "inputs", "outputs"};

bool is_setting(const std::string& name, const json& a, const json& b) {
  const std::string last = name.substr(name.rfind('.') + 1);
  return std::find(std::begin(settings), std::end(settings), last) != std::end(settings) ||
         (a.is_number() || b.is_number() ? false : a.is_primitive() || b.is_primitive());
}

// One figure of both. Where both know their spread, it says whether the difference is within it: the two overlap.
json compared(const json& a, const json& b, const std::string& key) {
  json row = {{"a", a.at(key)}, {"b", b.at(key)}};
  if (!a[key].is_number() || !b[key].is_number()) {
    return row;  // "unavailable" in one of them
  }
  const auto before = a[key].get<double>(), after = b[key].get<double>();
  if (before != 0 && std::isfinite(after / before)) {
    row["ratio"] = after / before;
  }
  const std::string spread = key + "_spread";
  if (a.contains(spread) && b.contains(spread)) {
    row["within_spread"] = a[spread].at(0) <= b[spread].at(1) && b[spread].at(0) <= a[spread].at(1);
  }
  return row;
}

// The object's members, those of nested objects as "machine.cores".
void flatten(const json& object, const std::string& prefix, json& into) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      flatten(value, prefix + key + ".", into);
    } else {
      into[prefix + key] = value;
    }
  }
}

// Rows by what they are of; alike ones are numbered.
std::map<std::string, json> named_rows(const json& list) {
  std::map<std::string, json> rows;
  for (const json& row : list) {
    std::string name;
    for (const char* key : identity) {
      if (row.contains(key) && (!row[key].is_string() || !row[key].get<std::string>().empty())) {
        name += (name.empty() ? "" : " ") + (row[key].is_string() ? row[key].get<std::string>() : row[key].dump());
      }
    }
    std::string unique = name;
    for (int number = 2; rows.count(unique) != 0; ++number) {
      unique = name + " #" + std::to_string(number);
    }
    rows[unique] = row;
  }
  return rows;
}

json compare_results(const json& a, const json& b) {
  json result = {{"bench", a.at("bench")},     {"settings_that_differ", json::object()},
                 {"figures", json::object()},  {"rows", json::object()},
                 {"only_in_a", json::array()}, {"only_in_b", json::array()}};
  json flat_a = json::object(), flat_b = json::object();
  flatten(a, "", flat_a);
  flatten(b, "", flat_b);
  json keys = flat_a;
  keys.update(flat_b);
  for (const auto& [key, value] : keys.items()) {
    if (value.is_array()) {
      continue;
    }
    const json none;
    const json& in_a = flat_a.contains(key) ? flat_a[key] : none;
    const json& in_b = flat_b.contains(key) ? flat_b[key] : none;
    if (is_setting(key, in_a, in_b)) {
      if (in_a != in_b) {
        result["settings_that_differ"][key] = {in_a, in_b};
      }
    } else if (!in_a.is_null() && !in_b.is_null()) {
      result["figures"][key] = compared(flat_a, flat_b, key);
    }
  }
  for (const char* list : lists) {
    if (!a.contains(list) || !b.contains(list)) {
      continue;
    }
    const std::map<std::string, json> rows_a = named_rows(a[list]), rows_b = named_rows(b[list]);
    for (const auto& [name, row] : rows_a) {
      const auto other = rows_b.find(name);
      if (other == rows_b.end()) {
        result["only_in_a"].push_back(name);
      } else {
        result["rows"][name] = compared(row, other->second, "ms");
      }
    }
    for (const auto& [name, row] : rows_b) {
      if (rows_a.count(name) == 0) {
        result["only_in_b"].push_back(name);
      }
    }
  }
  return result;
}

json read_result(const std::string& path) {
  json result = read_json(path);
  if (!result.is_object() || !result.contains("bench") || !result["bench"].is_string()) {
    fail(path, " is no result of fer bench; fer bench step --json > FILE writes one");
  }
  return result;
}

std::string text_of(const json& value) {
  char text[32];
  if (value.is_number_float()) {
    std::snprintf(text, sizeof text, "%.5g", value.get<double>());
    return text;
  }
  return value.is_null() ? "none" : value.is_string() ? value.get<std::string>() : value.dump();
}

void print_row(const std::string& name, const json& row) {
  std::printf("%-44s %14s %14s", name.c_str(), text_of(row["a"]).c_str(), text_of(row["b"]).c_str());
  if (row.contains("ratio")) {
    std::printf(" %8.3f", row["ratio"].get<double>());
  }
  std::printf("%s\n", row.value("within_spread", false) ? "  within the spread" : "");
}

void print(const json& result) {
  if (!result["settings_that_differ"].empty()) {
    std::printf("settings that differ\n");
    for (const auto& [name, both] : result["settings_that_differ"].items()) {
      std::printf("  %-42s %s -> %s\n", name.c_str(), text_of(both[0]).c_str(), text_of(both[1]).c_str());
    }
    std::printf("\n");
  }
  std::printf("%-44s %14s %14s %8s\n", "figure", "A", "B", "B / A");
  for (const auto& [name, row] : result["figures"].items()) {
    print_row(name, row);
  }
  const json& rows = result["rows"];
  std::vector<std::pair<double, std::string>> changed;
  for (const auto& [name, row] : rows.items()) {
    if (!row.value("within_spread", false)) {
      changed.emplace_back(-std::abs(row["b"].get<double>() - row["a"].get<double>()), name);
    }
  }
  std::sort(changed.begin(), changed.end());
  if (!rows.empty()) {
    std::printf("\n%zu of %zu differ in ms by more than their spread, those that matter most first\n", changed.size(),
                rows.size());
  }
  for (const auto& [change, name] : changed) {
    print_row(name, rows[name]);
  }
  for (const char* side : {"a", "b"}) {
    for (const json& name : result[std::string("only_in_") + side]) {
      std::printf("only in %s: %s\n", side[0] == 'a' ? "A" : "B", name.get<std::string>().c_str());
    }
  }
}

struct BenchCompare {
  std::string a, b;
  bool as_json = false;

  void run() const {
    const json first = read_result(a), second = read_result(b);
    if (first["bench"] != second["bench"]) {
      fail(a, " is a result of fer bench ", first["bench"].get<std::string>(), ", ", b, " of fer bench ",
           second["bench"].get<std::string>(), "; only like can be compared with like");
    }
    json result;
    try {
      result = compare_results(first, second);
      result["a"] = a;
      result["b"] = b;
    } catch (const json::exception& error) {
      fail(a, " or ", b, " is damaged: ", error.what());
    }
    as_json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }
};

}  // namespace

void add_bench_compare_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("compare", "two results of fer bench, figure by figure");
  static BenchCompare compare;
  command->add_option("A", compare.a, "a file that fer bench … --json wrote")->required();
  command->add_option("B", compare.b, "another of the same kind")->required();
  command->add_flag("--json", compare.as_json, "one JSON object on standard output");
  command->callback([] { compare.run(); });
}

}  // namespace fer
