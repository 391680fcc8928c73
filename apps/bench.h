// The parts of fer bench.
#pragma once

#include <vector>

#include "apps/commands.h"

namespace fer {

double median(std::vector<double> values);

void add_bench_attack_command(CLI::App& bench);

}  // namespace fer
