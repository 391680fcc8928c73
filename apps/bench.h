// The parts of fer bench.
#pragma once

#include <chrono>
#include <vector>

#include "analysis/step_costs.h"
#include "apps/commands.h"
#include "apps/common.h"

namespace fer {

// What every part is told that runs a network, and says of how it ran.
struct BenchOptions {
  TrainOptions options;
  StepOptions step;
  int64_t classes = 7, repeats = 15, warm_up = 3;
  bool json = false;

  // Binds them; `what` is repeated.
  void add_to(CLI::App& command, const std::string& what);

  // Checks them and gives the device; throws where there is nothing to run on.
  Device apply();

  // {"bench": part}, and what it ran on.
  nlohmann::json result_of(const char* part, Device device) const;
};

// A line for each of what layers_json() makes, on standard output.
void print_layers(const nlohmann::json& layers);

// Seconds of each repeat of run(), after `warm_up` that are not counted.
template <class Run>
std::vector<double> time_repeats(int64_t warm_up, int64_t repeats, Run run) {
  std::vector<double> seconds;
  for (int64_t repeat = -warm_up; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    run();
    if (repeat >= 0) {
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  return seconds;
}

// Every result of fer bench is one object: "bench" says which part made it, NAME_spread is how NAME differed from
// repeat to repeat (see put() of step_costs.h).
void add_bench_step_command(CLI::App& bench);
void add_bench_operation_command(CLI::App& bench);
void add_bench_forward_command(CLI::App& bench);
void add_bench_attack_command(CLI::App& bench);
void add_bench_data_command(CLI::App& bench);
void add_bench_compare_command(CLI::App& bench);

}  // namespace fer
