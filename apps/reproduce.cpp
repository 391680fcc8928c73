// fer reproduce: a paper's tables, made again.
#include <iostream>

#include "apps/common.h"
#include "apps/reproduce_page.h"
#include "tensor/file.h"

namespace fer {

namespace reproduce {

// The declarations under apps/reproduce/, put into the program when it is built.
extern const std::string_view declarations[];
extern const size_t declaration_count;

}  // namespace reproduce

namespace {

using namespace reproduce;

Paper known_paper(const std::string& number) {
  std::string known;
  for (size_t i = 0; i < declaration_count; ++i) {
    const nlohmann::json declared = nlohmann::json::parse(declarations[i]);
    if (declared.value("paper", "") == number) {
      return parse_paper(declared);
    }
    known += (known.empty() ? "" : ", ") + declared.value("paper", "");
  }
  fail("reproduce: paper '", number, "' is none of ", known);
}

struct ReproduceCommand {
  std::string what, protocol = "both", declaration;
  std::vector<std::string> weights;
  Settings settings;
  std::string out;
  bool dry = false;

  void run_it() {
    const size_t slash = what.find('/');
    const std::string number = what.substr(0, slash);
    const Paper paper = declaration.empty() ? known_paper(number) : parse_paper(read_json(declaration));
    if (paper.number != number) {
      fail("--declaration ", declaration, " is of paper ", paper.number, ", not ", number);
    }
    std::vector<const Table*> tables;
    if (slash != std::string::npos) {
      tables.push_back(&paper.find_table(what.substr(slash + 1)));
    } else {
      for (const Table& table : paper.tables) {
        tables.push_back(&table);
      }
    }
    read_settings();
    for (const std::string& step : settings.left_out) {
      if (paper.find_step(step) == nullptr) {
        fail("--leave-out '", step, "': paper ", number, " has no such step; --dry-run lists them");
      }
    }
    const std::vector<Task> tasks = plan_tasks(paper, tables, wanted_protocols(), settings);
    if (dry) {
      list(paper, tasks);
      return;
    }
    check_kept_results(tasks, settings);
    const bool well = run_all(paper, tasks);
    write_page(paper, tasks);
    std::cout << "page: " << (settings.out / ("paper_" + paper.number + ".html")).string() << "\n";
    if (!well) {
      fail("reproduce: some steps failed; the page names them, and the same command tries them again");
    }
  }

  void read_settings() {
    settings.out = std::filesystem::absolute(out).lexically_normal();
    if (settings.shorten < 0) {
      fail("--shorten ", settings.shorten, ": must be at least 1");
    }
    for (const std::string& one : weights) {
      const size_t equals = one.find('=');
      if (equals == std::string::npos) {
        fail("--weights '", one, "': must be MODEL=FILE");
      }
      find_model(one.substr(0, equals));
      if (!std::filesystem::exists(one.substr(equals + 1))) {
        fail("--weights ", one, ": there is no such file");
      }
      settings.weights[one.substr(0, equals)] = one.substr(equals + 1);
    }
  }

  std::vector<size_t> wanted_protocols() const {
    if (protocol == "both") {
      return {0, 1};
    }
    for (size_t p = 0; p < std::size(protocols); ++p) {
      if (protocol == protocols[p]) {
        return {p};
      }
    }
    fail("--protocol '", protocol, "': must be paper, honest or both");
  }

  void list(const Paper& paper, const std::vector<Task>& tasks) const {
    for (const Task& task : tasks) {
      std::cout << task.title() << (task.label.empty() ? "" : " (" + task.label + ")") << ": "
                << (task.missing.empty() ? task.command(settings) : "not run: " + task.missing) << "\n";
    }
    for (const Table& table : paper.tables) {
      size_t cells = 0, printed = 0;
      for (const auto& row : table.cells) {
        for (const auto& cell : row) {
          cells += cell.has_value();
          printed += cell && !cell->printed.is_null();
        }
      }
      std::cout << "table " << table.id << ": " << cells << " cells, " << printed << " printed\n";
    }
  }

  // False when one failed; the others are run all the same.
  bool run_all(const Paper& paper, const std::vector<Task>& tasks) const {
    interrupted();  // from here on Ctrl-C ends the step, not the program
    bool well = true;
    const auto run_one = [&](size_t index) {
      if (!tasks[index].missing.empty()) {
        return;
      }
      try {
        well = run_task(paper, tasks, index, settings) && well;
      } catch (const Interrupted&) {
        write_page(paper, tasks);
        std::cerr << "interrupted; the same command goes on\n";
        throw;
      }
      if (interrupted()) {
        write_page(paper, tasks);
        throw Interrupted();
      }
    };
    // The faces first: what the rest will take depends on them.
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].step->command == "data") {
        run_one(i);
      }
    }
    print_estimate(tasks);
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].step->command != "data") {
        if (tasks[i].missing.empty() && !is_done(tasks[i])) {
          std::cerr << "[" << i + 1 << "/" << tasks.size() << "] " << tasks[i].title() << "\n";
        }
        run_one(i);
      }
    }
    return well;
  }

  void write_page(const Paper& paper, const std::vector<Task>& tasks) const {
    const nlohmann::json results = collect_results(paper, tasks, settings);
    std::filesystem::create_directories(settings.out);
    write_file(settings.out / ("paper_" + paper.number + ".json"), results.dump(1));
    write_file(settings.out / ("paper_" + paper.number + ".html"), render_page(results));
  }
};

}  // namespace

void add_reproduce_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("reproduce", "make a paper's tables again, as it was done and as it should be done");
  auto options = std::make_shared<ReproduceCommand>();
  command->add_option("what", options->what, "000, 001, 003, 004, or one table: 004/table3")->required();
  command->add_option("--data", options->settings.data, "CK+ as a folder of class folders (000), fer2013.csv (others)")
      ->required();
  command->add_option("--ferplus", options->settings.ferplus, "fer2013new.csv: the FER+ columns of 001");
  command->add_option("--protocol", options->protocol, "paper, honest or both")->capture_default_str();
  command->add_option("--weights", options->weights, "MODEL=FILE: ImageNet weights to start from; may be repeated");
  command->add_flag("--quick", options->settings.quick, "few faces, few epochs: minutes, and numbers that mean little");
  command->add_option("--shorten", options->settings.shorten, "at most so many epochs (0: as in the paper)");
  command->add_option("--leave-out", options->settings.left_out,
                      "a step not to run, nor what needs it; may be repeated");
  command->add_flag("--dry-run", options->dry, "list the commands and the tables, run nothing");
  command->add_option("--declaration", options->declaration, "")->group("");
  command->add_option("--out", options->out, "a folder for runs, results and the page")->required();
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
