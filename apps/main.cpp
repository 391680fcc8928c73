// `fer`: exit status 0 done; 1 the work failed, with one clear line; 2 wrong use; 130 interrupted.
#include <algorithm>
#include <iostream>

#include "apps/commands.h"
#include "tensor/error.h"

namespace {

// One line that names what was wrong; words the program does not know come before what is missing.
std::string describe(const CLI::App& program, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = program.remaining(true);
  std::string line = unknown.empty() ? error.what() : "unknown option or command: " + CLI::detail::join(unknown, " ");
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::string command = "fer";
  for (const CLI::App* chosen = &program; !chosen->get_subcommands().empty();) {
    chosen = chosen->get_subcommands().front();
    command += " " + chosen->get_name();
  }
  return "fer: " + line + " (see " + command + " --help)";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Ferrotype: trains, attacks and measures facial-expression networks", "fer"};
  program.require_subcommand(1);
  program.set_version_flag("--version", FER_VERSION);
  fer::add_data_command(program);
  fer::add_models_command(program);
  fer::add_plan_command(program);
  fer::add_train_command(program);
  fer::add_eval_command(program);
  fer::add_attack_command(program);
  fer::add_explain_command(program);
  fer::add_predict_command(program);
  fer::add_bench_command(program);
  fer::add_export_command(program);
  fer::add_report_command(program);
  fer::add_reproduce_command(program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return program.exit(error);  // --help, --version
    }
    std::cerr << describe(program, error) << "\n";
    return 2;
  } catch (const fer::Interrupted&) {
    return 130;
  } catch (const std::exception& error) {
    std::cerr << "fer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
