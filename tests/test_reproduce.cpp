// The papers' declarations, and a small one run from end to end, stopped and gone on with.
#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "tensor/file.h"
#include "tests/run_program.h"
#include "tests/temporary_folder.h"

namespace fer {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

// Two trainings, one evaluated, one that cannot work; a row that nobody ran.
json small_paper() {
  return json::parse(R"json({
    "paper": "900", "title": "A small paper", "data": "drawn faces",
    "protocols": {
      "paper": {"about": "at random", "seeds": [0], "train": {"split": "random:0.3", "validation": 0}},
      "honest": {"about": "by subject", "seeds": [0, 1], "train": {"split": "official"}}},
    "quick": {"about": "fewer", "images": 40, "train": {"epochs": 1}},
    "defaults": {"train": {"data": "@faces", "model": "cnn_1block", "size": 8, "batch": 8, "epochs": 3, "lr": 0.001}},
    "steps": [
      {"name": "faces", "command": "data"},
      {"name": "plain", "command": "train"},
      {"name": "plain_test", "command": "eval", "options": {"run": "@plain", "attack": ["fgsm"], "eps": ["0"]}},
      {"name": "warm", "command": "train", "options": {"weights": "{weights}"}, "needs_weights": true},
      {"name": "broken", "command": "train", "options": {"batch": 500}},
      {"name": "broken_test", "command": "eval", "options": {"run": "@broken"}}],
    "tables": [
      {"id": "table1", "title": "Scores", "flaw": "None <here>.",
       "worth": [{"label": "The split", "of": "paper plain:test.accuracy", "minus": "honest plain:test.accuracy"}],
       "columns": [{"name": "accuracy", "kind": "accuracy", "path": "test.accuracy"},
                   {"name": "parameters", "kind": "count", "path": "parameters.total"}],
       "rows": [{"name": "plain", "step": "plain", "printed": [0.25, null]},
                {"name": "warm", "step": "warm", "printed": [0.5, 100]},
                {"name": "elsewhere", "reason": "cited", "printed": [0.75, null]}],
       "chart_x": [1, 2, 3], "chart_label": "row"},
      {"id": "table2", "title": "Attacked", "flaw": "",
       "columns": [{"name": "value", "kind": "accuracy"}],
       "rows": [{"name": "clean", "cells": [{"printed": 0.25, "kind": "accuracy", "step": "plain_test",
                                             "path": "accuracy"}]},
                {"name": "attacked", "cells": [{"printed": null, "kind": "accuracy", "step": "plain_test",
                                                "path": "attacks.0.robust_accuracy"}]},
                {"name": "happy", "cells": [{"printed": null, "kind": "recall", "step": "plain_test",
                                             "path": "per_class.happy.recall"}]},
                {"name": "happy as sad", "cells": [{"printed": 3, "kind": "count", "step": "plain_test",
                                                    "path": "confusion.happy.sad"}]}]},
      {"id": "fig3", "title": "What fails", "flaw": "",
       "columns": [{"name": "accuracy", "kind": "accuracy", "path": "accuracy"}],
       "rows": [{"name": "broken", "step": "broken_test", "printed": [1]},
                {"name": "plain", "step": "plain_test", "printed": [1]}]}]})json");
}

// A folder with the declaration in it.
class Bench {
 public:
  explicit Bench(const json& paper = small_paper()) { write_file(folder_ / "paper.json", paper.dump()); }

  Words command(const std::string& what, const Words& more = {}) const {
    Words words = {"reproduce", what,          "--data", "synthetic:60", "--declaration", folder_ / "paper.json",
                   "--out",     out().string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  fs::path out() const { return folder_.path() / "out"; }
  json page() const { return json::parse(read_file(out() / "paper_900.json")); }

 private:
  TemporaryFolder folder_;
};

const json& cell(const json& page, const std::string& table, const std::string& row, const std::string& column) {
  for (const json& one : page.at("tables")) {
    for (const json& found : one.at("cells")) {
      if (one.at("id") == table && found.at("row") == row && found.at("column") == column) {
        return found;
      }
    }
  }
  FAIL("no cell " << table << ", " << row << ", " << column);
  return page;
}

// The message of a declaration that is refused.
std::string refusal(const json& paper) {
  const Bench bench(paper);
  const ProgramResult result = run_program(bench.command("900", {"--dry-run"}));
  CHECK(result.status == 1);
  return result.errors;
}

json with(const char* pointer, json value) {
  json paper = small_paper();
  paper[json::json_pointer(pointer)] = std::move(value);
  return paper;
}

}  // namespace

// Reading a declaration checks all of it: steps, references, options, figures and cells.
TEST_CASE("reproduce: the papers' declarations hold together, and every table has its cells") {
  struct Expected {
    const char* paper;
    std::vector<std::string> lines;
  };
  std::vector<Expected> all = {
      {"000",
       {"table table1: 9 cells, 6 printed", "table dataset: 9 cells, 9 printed", "table sizes: 3 cells, 3 printed",
        "table fig10: 38 cells, 38 printed", "table fig10-best: 3 cells, 3 printed",
        "table fig10-confusion: 14 cells, 14 printed", "table attacks: 28 cells, 0 printed",
        "table fig11: 8 cells, 1 printed", "table claims: 9 cells, 9 printed"}},
      {"001",
       {"table table1: 12 cells, 12 printed", "table table2: 20 cells, 17 printed",
        "table table3: 20 cells, 20 printed", "table table4: 12 cells, 12 printed",
        "table claims: 15 cells, 13 printed"}},
      {"003",
       {"table table1: 5 cells, 5 printed", "table ablations: 20 cells, 0 printed",
        "table claims: 8 cells, 8 printed"}},
      {"004",
       {"table table1: 12 cells, 12 printed", "table table2: 12 cells, 12 printed",
        "table confusion-612: 49 cells, 49 printed", "table confusion-613: 49 cells, 49 printed",
        "table confusion-9: 49 cells, 49 printed", "table claims: 13 cells, 13 printed"}}};
  for (int table = 3; table <= 20; ++table) {
    const std::string cells = table <= 8 ? "10" : "6";
    all[3].lines.push_back("table table" + std::to_string(table) + ": " + cells + " cells, " + cells + " printed");
  }
  for (const Expected& expected : all) {
    const ProgramResult result =
        run_program({"reproduce", expected.paper, "--data", "synthetic:60", "--dry-run", "--out", "none"});
    INFO(expected.paper << ": " << result.errors);
    REQUIRE(result.status == 0);
    for (const std::string& line : expected.lines) {
      CAPTURE(line);
      CHECK(holds(result.out, line));
    }
  }
}

TEST_CASE("reproduce: where the data lacks the part for validation, training images stand in for it") {
  const TemporaryFolder folder;
  const auto commands = [&](Part third) {
    Dataset faces = synthetic_faces(60, 1);
    for (size_t i = 0; i < faces.parts.size(); ++i) {
      faces.parts[i] = i % 3 == 0 ? Part::train : i % 3 == 1 ? Part::public_test : third;
    }
    const std::string data = folder / "faces.safetensors";
    write_dataset(data, faces);
    return run_program({"reproduce", "003", "--data", data, "--dry-run", "--out", "none"}).out;
  };
  CHECK(holds(commands(Part::train), "--validation 0.125", "an eighth of the training images"));
  CHECK_FALSE(holds(commands(Part::private_test), "--validation"));
}

TEST_CASE("reproduce: a declaration's mistake is named with its place") {
  CHECK(holds(refusal(with("/steps/1/options", {{"frobnicate", 1}})), "step plain", "--frobnicate"));
  CHECK(holds(refusal(with("/steps/1/options", {{"lr", -1}})), "step plain", "--lr -1"));
  CHECK(holds(refusal(with("/steps/2/options/run", "@nobody")), "plain_test", "@nobody"));
  CHECK(holds(refusal(with("/steps/1/colour", "red")), "step plain", "'colour'"));
  CHECK(holds(refusal(with("/steps/1/command", "sleep")), "step plain", "'sleep'"));
  CHECK(holds(refusal(with("/tables/0/rows/0/step", "nobody")), "table table1", "row 'plain'", "'nobody'"));
  CHECK(holds(refusal(with("/tables/0/columns/0/path", "test.beauty")), "table1", "'accuracy'", "'test.beauty'"));
  CHECK(holds(refusal(with("/tables/0/rows/0/printed", {1})), "row 'plain'", "1 cells for 2 columns"));
  CHECK(holds(refusal(with("/tables/0/worth/0/of", "nowhere plain:seconds")), "worth", "nowhere"));
}

TEST_CASE("reproduce: wrong use") {
  const Bench bench;
  CHECK(holds(run_program(bench.command("901")).errors, "paper 900"));
  CHECK(holds(run_program(bench.command("900/table9")).errors, "table9", "table1, table2, fig3"));
  CHECK(holds(run_program(bench.command("900", {"--protocol", "kind"})).errors, "'kind'", "paper, honest or both"));
  CHECK(holds(run_program(bench.command("900", {"--weights", "cnn_1block"})).errors, "MODEL=FILE"));
  CHECK(holds(run_program({"reproduce", "007", "--data", "synthetic:60", "--out", "x"}).errors, "'007'", "000, 001"));
}

TEST_CASE("reproduce: tables are filled from runs, one by one, and what was not run says so") {
  const Bench bench;
  ProgramResult result = run_program(bench.command("900/1", {"--protocol", "paper"}));
  INFO(result.errors);
  REQUIRE(result.status == 0);
  CHECK(holds(result.errors, "what it will take", "paper plain, seed 0", "not run: --weights cnn_1block=FILE"));
  json page = bench.page();
  const json plain = cell(page, "table1", "plain", "accuracy");
  CHECK(plain["printed"] == 0.25);
  REQUIRE(plain["paper"]["state"] == "done");
  const double accuracy = plain["paper"]["value"];
  CHECK(plain["paper"]["difference"].get<double>() == doctest::Approx(accuracy - 0.25));
  CHECK(plain["paper"]["n"].get<int>() > 10);
  CHECK(plain["paper"]["interval"][0].get<double>() <= accuracy);
  CHECK(plain["paper"]["interval"][1].get<double>() >= accuracy);
  CHECK(holds(plain["paper"]["settings"].get<std::string>(), "--split random:0.3", "--epochs 3"));
  CHECK(plain["honest"] == json{{"state", "not run"}});
  CHECK(cell(page, "table1", "warm", "accuracy")["paper"]["state"] == "not run");
  CHECK(cell(page, "table1", "elsewhere", "accuracy")["paper"] == json{{"state", "not run"}, {"reason", "cited"}});
  CHECK(cell(page, "table2", "clean", "value")["paper"]["state"] == "not run");
  CHECK(page["tables"][0]["worth"][0]["state"] == "not run");

  // The other protocol and table into the same folder: what is there is not run again.
  result = run_program(bench.command("900/table1"));
  REQUIRE(result.status == 0);
  CHECK(!holds(result.errors, "] paper plain"));
  CHECK(holds(result.errors, "] honest plain, seed 1"));
  result = run_program(bench.command("900/2"));
  INFO(result.errors);
  REQUIRE(result.status == 0);
  page = bench.page();
  const json honest = cell(page, "table1", "plain", "accuracy")["honest"];
  CHECK(honest["seeds"] == json{0, 1});
  CHECK(honest["values"].size() == 2);
  CHECK(honest["spread"]["lowest"].get<double>() <= honest["value"].get<double>());
  const json worth = page["tables"][0]["worth"][0];
  CHECK(worth["difference"].get<double>() == doctest::Approx(accuracy - honest["value"].get<double>()));
  for (const char* protocol : {"paper", "honest"}) {
    // eps 0 is no attack
    CHECK(cell(page, "table2", "attacked", "value")[protocol]["value"] ==
          cell(page, "table2", "clean", "value")[protocol]["value"]);
    CHECK(cell(page, "table2", "happy", "value")[protocol].contains("interval"));
    CHECK(cell(page, "table2", "happy as sad", "value")[protocol]["state"] == "done");
  }
  const std::string html = read_file(bench.out() / "paper_900.html");
  CHECK(holds(html, "None &lt;here&gt;.", "not run", "25.0%", "over 2 seeds", "<svg"));
  CHECK(!holds(html, "http://"));

  result = run_program(bench.command("900/1", {"--leave-out", "plain", "--dry-run"}));
  CHECK(holds(result.out, "paper plain, seed 0: not run: --leave-out plain"));
  result = run_program(bench.command("900/1", {"--leave-out", "plane"}));
  CHECK(result.status == 1);
  CHECK(holds(result.errors, "'plane'", "--dry-run"));

  // Other settings do not mix with these.
  result = run_program(bench.command("900/1", {"--shorten", "1"}));
  CHECK(result.status == 1);
  CHECK(holds(result.errors, "other settings", "give another --out"));
}

TEST_CASE("reproduce: a step that fails shows in its cells and stops nothing else") {
  const Bench bench;
  const ProgramResult result = run_program(bench.command("900/fig3", {"--protocol", "paper", "--quick"}));
  CHECK(result.status == 1);
  CHECK(holds(result.errors, "some steps failed"));
  const json page = bench.page();
  const json broken = cell(page, "fig3", "broken", "accuracy")["paper"];
  CHECK(broken["state"] == "failed");
  CHECK(holds(broken["reason"].dump(), "broken", "failed"));
  const json plain = cell(page, "fig3", "plain", "accuracy")["paper"];
  CHECK(plain["state"] == "done");
  CHECK(holds(plain["label"].get<std::string>(), "quick"));
  CHECK(holds(read_file(bench.out() / "results" / "paper" / "broken-seed0.json"), "larger than the training set"));
}

TEST_CASE("reproduce: Ctrl-C leaves all that a second run needs") {
  json paper = small_paper();
  paper["defaults"]["train"]["epochs"] = 120;
  const Bench bench(paper), whole(paper);
  RunningProgram stopped(bench.command("900/1", {"--protocol", "paper"}));
  REQUIRE(stopped.wait_for_error("epoch   2/120"));
  stopped.send(SIGINT);
  const ProgramResult first = stopped.finish();
  INFO(first.errors);
  CHECK(first.status == 130);
  CHECK(cell(bench.page(), "table1", "plain", "accuracy")["paper"]["state"] == "not run");
  CHECK(json::parse(read_file(bench.out() / "results" / "paper" / "plain-seed0.json"))["state"] == "running");
  REQUIRE(fs::exists(bench.out() / "runs" / "paper" / "plain-seed0" / "last.safetensors"));

  const ProgramResult second = run_program(bench.command("900/1", {"--protocol", "paper"}));
  INFO(second.errors);
  REQUIRE(second.status == 0);
  CHECK(!holds(second.errors, "epoch   1/120"));
  REQUIRE(run_program(whole.command("900/1", {"--protocol", "paper"})).status == 0);
  CHECK(cell(bench.page(), "table1", "plain", "accuracy")["paper"]["value"] ==
        cell(whole.page(), "table1", "plain", "accuracy")["paper"]["value"]);
}

}  // namespace fer
