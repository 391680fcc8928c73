#include "apps/bench.h"

namespace fer {

void add_bench_command(CLI::App& program) {
  CLI::App* group = program.add_subcommand("bench", "measure what things cost");
  group->require_subcommand(1);
  add_bench_step_command(*group);
  add_bench_operation_command(*group);
  add_bench_forward_command(*group);
  add_bench_attack_command(*group);
  add_bench_data_command(*group);
  add_bench_compare_command(*group);
}

}  // namespace fer
