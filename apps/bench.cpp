// fer bench step
#include "apps/bench.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "analysis/machine.h"
#include "apps/step_setup.h"
#include "tensor/accelerator.h"
#include "tensor/parallel.h"

namespace fer {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

namespace {

// What is taken of a GPU's memory, by whomever; 0 for the CPU.
int64_t used_bytes(Device device) {
  const auto accelerator = accelerator_for(device);
  return accelerator ? accelerator->total_bytes() - accelerator->free_bytes() : 0;
}

struct BenchStep {
  TrainOptions options;
  StepOptions step;
  int64_t classes = 7, repeats = 15, warm_up = 3;
  bool json = false, layers = false;

  void run() {
    options.augment = "none";
    const Device device = step.apply(options);
    options.data = "none";
    options.check();
    if (repeats < 1 || warm_up < 0) {
      fail("--repeats must be at least 1 and --warm-up zero or more");
    }
    if (device == Device::null) {
      fail("--device null runs nothing; use fer plan");
    }
    SteppedNetwork stepped = make_step(options, classes, device, parse_precision(step.precision));
    step.announce(device);
    const Plan& plan = stepped.step->plan();
    std::vector<double> total, by_phase[4];
    std::vector<std::vector<double>> by_node(plan.nodes().size());
    for (int64_t repeat = -warm_up; repeat < repeats; ++repeat) {
      std::vector<double> seconds;
      const auto step_seconds = [&](std::vector<double>* of_nodes) {
        const int64_t steps = of_nodes != nullptr ? 1 : stepped.step->most_started();
        const auto start = std::chrono::steady_clock::now();
        for (int64_t i = 0; i < steps; ++i) {
          stepped.step->start(stepped.indices, 1e-3, {options.seed, static_cast<uint64_t>(repeat + warm_up)}, of_nodes);
        }
        stepped.step->collect();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
               static_cast<double>(steps);
      };
      // A GPU that is asked for the times of nodes runs them one by one.
      const double elapsed = step_seconds(device == Device::cuda ? nullptr : &seconds);
      if (device == Device::cuda) {
        step_seconds(&seconds);
      }
      if (repeat < 0) {
        continue;
      }
      total.push_back(1e3 * elapsed);
      double phases[4] = {0, 0, 0, 0};
      for (size_t i = 0; i < seconds.size(); ++i) {
        phases[static_cast<int>(plan.nodes()[i].phase)] += 1e3 * seconds[i];
        by_node[i].push_back(1e3 * seconds[i]);
      }
      for (int phase = 0; phase < 4; ++phase) {
        by_phase[phase].push_back(phases[phase]);
      }
    }
    // Before the machine is measured: its buffers are not the step's.
    const int64_t resident = peak_resident_bytes();
    const int64_t taken = used_bytes(device);
    const MachineLimits limits = measure_limits(device, parse_precision(step.precision));
    double roofline_ms = 0;
    for (const PlannedNode& node : plan.nodes()) {
      roofline_ms += 1e3 * limits.least_seconds(node.cost);
    }
    const double typical = median(total);
    const auto flops = static_cast<double>(plan.total_cost().flops);
    nlohmann::json result = {{"model", options.model},
                             {"batch", options.batch},
                             {"parameters", stepped.parameters.total},
                             {"median_ms", typical},
                             {"min_ms", *std::min_element(total.begin(), total.end())},
                             {"max_ms", *std::max_element(total.begin(), total.end())},
                             {"repeats", repeats},
                             {"forward_ms", median(by_phase[0])},
                             {"backward_ms", median(by_phase[1])},
                             {"optimizer_ms", median(by_phase[2])},
                             {"images_per_s", 1e3 * static_cast<double>(options.batch) / typical},
                             {"flops_per_step", plan.total_cost().flops},
                             {"macs_per_step", plan.total_cost().flops / 2},
                             {"peak_flops_per_s", limits.flops_per_second},
                             {"flop_rate_fraction_of_peak", flops / (1e-3 * typical) / limits.flops_per_second},
                             {"peak_bytes_per_s", limits.bytes_per_second},
                             {"roofline_ms", roofline_ms},
                             {"kernels_per_step", stepped.step->executor().recorded_launches()},
                             {"planned_peak_bytes", plan.peak_bytes() + plan.variable_bytes()},
                             {"peak_rss_bytes", resident},
                             {"peak_device_bytes", taken},
                             {"device", std::string(name_of(device))},
                             {"precision", step.precision},
                             {"threads", thread_count()},
                             {"seed", options.seed},
                             {"machine", machine_description()}};
    if (layers) {
      for (size_t i = 0; i < plan.nodes().size(); ++i) {
        const PlannedNode& node = plan.nodes()[i];
        const double ms = median(by_node[i]);
        result["layers"].push_back({{"scope", node.scope},
                                    {"operation", node.operation->name()},
                                    {"algorithm", node.kernel.algorithm},
                                    {"workspace_bytes", node.kernel.workspace_bytes},
                                    {"ms", ms},
                                    {"gflops", static_cast<double>(node.cost.flops) / (ms * 1e6)},
                                    {"gbs", static_cast<double>(node.cost.bytes) / (ms * 1e6)}});
      }
    }
    json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }

  static void print(const nlohmann::json& r) {
    if (r.contains("layers")) {
      std::printf("%-28s %-30s %10s %10s %10s\n", "scope", "operation", "ms", "GFLOP/s", "GB/s");
      for (const auto& layer : r["layers"]) {
        std::printf("%-28s %-30s %10.3f %10.1f %10.1f\n", layer["scope"].get<std::string>().c_str(),
                    layer["operation"].get<std::string>().c_str(), layer["ms"].get<double>(),
                    layer["gflops"].get<double>(), layer["gbs"].get<double>());
      }
    }
    const auto number = [&](const char* key) { return r[key].get<double>(); };
    std::printf("%s, batch %ld, %ld threads: median %.1f ms (%.1f to %.1f) a step, %.1f images/s\n",
                r["model"].get<std::string>().c_str(), r["batch"].get<int64_t>(), r["threads"].get<int64_t>(),
                number("median_ms"), number("min_ms"), number("max_ms"), number("images_per_s"));
    std::printf("forward %.1f ms, backward %.1f ms, optimizer %.1f ms\n", number("forward_ms"), number("backward_ms"),
                number("optimizer_ms"));
    std::printf("%.1f GFLOP a step, %.0f%% of the measured peak of %.0f GFLOP/s\n", number("flops_per_step") / 1e9,
                100 * number("flop_rate_fraction_of_peak"), number("peak_flops_per_s") / 1e9);
    std::printf("memory: planned peak %s, peak resident %s\n", format_bytes(number("planned_peak_bytes")).c_str(),
                format_bytes(number("peak_rss_bytes")).c_str());
  }
};

}  // namespace

void add_bench_command(CLI::App& program) {
  CLI::App* group = program.add_subcommand("bench", "measure what things cost");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("step", "time, memory and rate of a training step");
  static BenchStep bench;
  command->add_option("--model", bench.options.model, "the network (see fer models)")->capture_default_str();
  bench.step.add_to(*command, bench.options);
  command->add_option("--classes", bench.classes, "outputs of the network")->capture_default_str();
  command->add_option("--optimizer", bench.options.optimizer, "sgd, adam, adamw, nadam, radam or rmsprop")
      ->capture_default_str();
  command->add_option("--repeats", bench.repeats, "steps measured")->capture_default_str();
  command->add_option("--warm-up", bench.warm_up, "steps before them")->capture_default_str();
  command->add_flag("--layers", bench.layers, "the time of every operation too");
  command->add_flag("--json", bench.json, "one JSON object on standard output");
  command->callback([] { bench.run(); });
  add_bench_forward_command(*group);
  add_bench_attack_command(*group);
}

}  // namespace fer
