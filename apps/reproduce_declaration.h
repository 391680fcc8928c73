// A paper as data: what is run (steps), and which figure of which run stands in which cell of which table.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fer::reproduce {

// "paper" follows the text, its flaws included; "honest" does the same without them.
inline constexpr const char* protocols[] = {"paper", "honest"};

// One command: `data` (the faces, read once and kept as one file), `train`, `attack` or `eval`. Options have the names
// of the command line with _ for -. A value may hold @step (where that step's output lies), {part} (the paper's test
// set: the official validation part where there is one) and {weights} (--weights for the step's model).
struct Step {
  std::string name, command;
  nlohmann::json options;                            // of both protocols
  nlohmann::json by_protocol[std::size(protocols)];  // added to them; null takes an option away
  nlohmann::json quick;                              // added with --quick
  bool in_protocol[std::size(protocols)] = {true, true};
  bool needs_weights = false;  // without --weights it is not run; otherwise it starts from random weights
  double passes = 1;           // forward passes an image takes at most: what eval and attack are priced by
  int64_t versions = 1;        // of each image in an attack's set
};

struct Cell {
  nlohmann::json printed;  // a number; null where the paper prints none
  std::string kind;        // accuracy, recall, precision, share, loss, count, seconds, bytes or number
  std::string step;        // empty: nothing to run
  std::string path[std::size(protocols)];
  std::string minus;   // the same figure of this step is taken off
  std::string reason;  // why there is nothing to run
};

// The difference between two figures, in words.
struct Worth {
  struct Source {
    size_t protocol = 0;
    std::string step, path;
  };
  std::string label, kind;
  Source a, b;  // a - b
};

struct Table {
  std::string id, title, flaw;
  std::vector<std::string> columns, rows;
  std::vector<std::vector<std::optional<Cell>>> cells;  // [row][column]
  std::vector<Worth> worths;
  std::vector<double> chart_x;  // of each row, where a chart says more; its y is the first column
  std::string chart_label;
};

struct Paper {
  std::string number, title, data;  // which faces it wants
  std::string about[std::size(protocols)];
  std::vector<uint64_t> seeds[std::size(protocols)];
  std::string quick_about;
  int64_t quick_images = 0;  // drawn from the faces with --quick
  std::vector<Step> steps;   // each refers to earlier ones only
  std::vector<Table> tables;

  const Step* find_step(const std::string& name) const;
  // "table3", "3", "fig10". Throws naming the tables.
  const Table& find_table(const std::string& id) const;
};

// Throws naming the place and what would be right: unknown keys, steps and figures, options that the commands refuse,
// rows that do not fit the columns.
Paper parse_paper(const nlohmann::json& json);

// Options of a step in a protocol, as they are handed to the command but for the placeholders; the seed is not among
// them. `shorten` (0: not) is the most epochs.
nlohmann::json step_options(const Step& step, size_t protocol, bool quick, int64_t shorten);

// `text` with every `what` in it replaced.
std::string replaced(std::string text, const std::string& what, const std::string& by);

// The names of steps that a value refers to with @.
std::vector<std::string> references(const nlohmann::json& options);

// Where a figure stands in a step's result: keys with dots between them; in lists an index, a class of `classes`, or
// the `name` or `kind` of an element. `parent` becomes what holds it. Null when there is none.
const nlohmann::json* find_figure(const nlohmann::json& result, const std::string& path,
                                  const nlohmann::json** parent = nullptr);

}  // namespace fer::reproduce
