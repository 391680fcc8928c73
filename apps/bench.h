// The parts of fer bench.
#pragma once

#include "analysis/step_costs.h"
#include "apps/commands.h"

namespace fer {

// Every result of fer bench is one object: "bench" says which part made it, NAME_spread is how NAME differed from
// repeat to repeat (see put() of step_costs.h).
void add_bench_step_command(CLI::App& bench);
void add_bench_operation_command(CLI::App& bench);
void add_bench_attack_command(CLI::App& bench);
void add_bench_data_command(CLI::App& bench);
void add_bench_compare_command(CLI::App& bench);

}  // namespace fer
