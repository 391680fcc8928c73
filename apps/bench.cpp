#include "apps/bench.h"

#include <cmath>

#include "tensor/cores.h"
#include "tensor/parallel.h"

namespace fer {

void BenchOptions::add_to(CLI::App& command, const std::string& what) {
  step.add_to(command, options);
  command.add_option("--classes", classes, "outputs of the network")->capture_default_str();
  command.add_option("--repeats", repeats, what + " measured")->capture_default_str();
  command.add_option("--warm-up", warm_up, what + " before them")->capture_default_str();
  command.add_flag("--json", json, "one JSON object on standard output");
}

Device BenchOptions::apply() {
  options.augment = "none";
  options.data = "none";
  const Device device = step.apply(options);
  options.check();
  if (repeats < 1 || warm_up < 0) {
    fail("--repeats must be at least 1 and --warm-up zero or more");
  }
  if (device == Device::null) {
    fail("--device null runs nothing; use fer plan");
  }
  return device;
}

nlohmann::json BenchOptions::result_of(const char* part, Device device) const {
  // After the measurement, which it is to explain.
  const double ns = device == Device::cpu ? measure_core_latency() : 0;
  const nlohmann::json latency = ns > 0 && std::isfinite(ns) ? nlohmann::json(ns) : nlohmann::json();
  return {{"bench", part},
          {"repeats", repeats},
          {"warm_up", warm_up},
          {"device", std::string(name_of(device))},
          {"precision", step.precision},
          {"threads", thread_count()},
          {"core_latency_ns", latency},
          {"seed", options.seed},
          {"machine", machine_description()}};
}

void print_layers(const nlohmann::json& layers) {
  std::printf("%-28s %-30s %10s %10s %10s %8s %8s\n", "scope", "operation", "ms", "GFLOP/s", "GB/s", "of peak",
              "of GB/s");
  for (const auto& layer : layers) {
    std::printf("%-28s %-30s %10.3f %10.1f %10.1f %7.0f%% %7.0f%%\n", layer["scope"].get<std::string>().c_str(),
                layer["operation"].get<std::string>().c_str(), layer["ms"].get<double>(), layer.value("gflops", 0.0),
                layer.value("gbs", 0.0), 100 * layer.value("fraction_of_peak", 0.0),
                100 * layer.value("fraction_of_bandwidth", 0.0));
  }
}

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
