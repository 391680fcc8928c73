// fer report
#include <iostream>

#include "apps/run_folder.h"

namespace fer {

void add_report_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("report", "one HTML page about one or more runs");
  struct Options {
    std::vector<std::filesystem::path> runs;
    std::string out;
  };
  auto options = std::make_shared<Options>();
  command->add_option("runs", options->runs, "run folders")->required();
  command->add_option("--out", options->out, "the page to write")->required();
  command->callback(
      [options] { std::cout << write_report(options->runs, options->out) << "report: " << options->out << "\n"; });
}

}  // namespace fer
