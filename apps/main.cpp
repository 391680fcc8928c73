// `fer`: exit status 0 done; 1 the work failed, with one clear line; 2 wrong use; 130 interrupted.
#include <iostream>

#include "apps/commands.h"
#include "tensor/error.h"

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
  fer::add_bench_command(program);
  fer::add_report_command(program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const fer::Interrupted&) {
    return 130;
  } catch (const std::exception& error) {
    std::cerr << "fer: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
