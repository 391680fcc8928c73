// fer plan: prices a step with no data and nothing run.
#include <algorithm>
#include <iostream>

#include "analysis/cost_page.h"
#include "analysis/step_costs.h"
#include "apps/step_setup.h"
#include "tensor/file.h"

namespace fer {

namespace {

struct PlanCommand {
  TrainOptions options;
  StepOptions step;
  int64_t classes = 7;
  double gigaflops = 0, gigabytes = 0;
  std::string page;
  bool json = false;

  void run() {
    options.augment = "none";
    const Device device = step.apply(options);
    const Precision precision = parse_precision(step.precision);
    options.data = "none";
    options.check();
    const SteppedNetwork stepped = make_step(options, classes, Device::null, precision, planned_for(device));
    const Plan& plan = stepped.step->plan();
    MachineLimits limits{gigaflops * 1e9, gigabytes * 1e9};
    if (gigaflops <= 0 || gigabytes <= 0) {
      const MachineLimits measured = measure_limits(device, precision);
      limits.flops_per_second = gigaflops > 0 ? limits.flops_per_second : measured.flops_per_second;
      limits.bytes_per_second = gigabytes > 0 ? limits.bytes_per_second : measured.bytes_per_second;
    }

    double seconds = 0;
    for (const PlannedNode& node : plan.nodes()) {
      seconds += limits.least_seconds(node.cost);
    }
    const Cost total = plan.total_cost();
    const nlohmann::json result = {{"model", options.model},
                                   {"batch", options.batch},
                                   {"parameters", stepped.parameters.total},
                                   {"planned_peak_bytes", plan.peak_bytes() + plan.variable_bytes()},
                                   {"arena_bytes", plan.peak_bytes()},
                                   {"variable_bytes", plan.variable_bytes()},
                                   {"lower_bound_bytes", plan.lower_bound_bytes()},
                                   {"flops_per_step", total.flops},
                                   {"flops_done_per_step", total.done_flops()},
                                   {"bytes_per_step", total.bytes},
                                   {"roofline_ms", seconds * 1e3},
                                   {"roofline_flops_per_second", limits.flops_per_second},
                                   {"roofline_bytes_per_second", limits.bytes_per_second},
                                   {"layers", layers_json(plan, limits)},
                                   {"arena", arena_json(plan)}};
    if (!page.empty()) {
      write_file(page, render_cost_page(result, limits));
      std::cerr << "page: " << page << "\n";
    }
    if (json) {
      std::cout << result.dump(1) << "\n";
    } else {
      print(result);
    }
  }

  static void print(const nlohmann::json& plan) {
    std::printf("%-28s %-30s %-18s %10s %10s %11s %10s\n", "scope", "operation", "shape", "MFLOP", "MB moved",
                "lifetime", "bound us");
    for (const auto& layer : plan["layers"]) {
      const auto shape = layer["shape"].get<std::vector<int64_t>>();
      const auto life = layer["lifetime"].get<std::vector<int64_t>>();
      std::printf("%-28s %-30s %-18s %10.1f %10.2f %5ld-%-5ld %10.1f\n", layer["scope"].get<std::string>().c_str(),
                  layer["operation"].get<std::string>().c_str(), to_string(Shape(shape)).c_str(),
                  layer["flops"].get<double>() / 1e6, layer["bytes"].get<double>() / 1e6, life[0], life[1],
                  layer["roofline_us"].get<double>());
    }
    const auto bytes = [&](const char* key) { return format_bytes(plan[key].get<double>()); };
    std::printf("\n%s, batch %ld, one training step: %zu operations, %.2f GFLOP (2 x multiply-adds), %.1f MB moved\n",
                plan["model"].get<std::string>().c_str(), plan["batch"].get<int64_t>(), plan["layers"].size(),
                plan["flops_per_step"].get<double>() / 1e9, plan["bytes_per_step"].get<double>() / 1e6);
    std::printf("peak memory %s: arena %s (no placement of its values needs less than %s), weights and moments %s\n",
                bytes("planned_peak_bytes").c_str(), bytes("arena_bytes").c_str(), bytes("lower_bound_bytes").c_str(),
                bytes("variable_bytes").c_str());
    std::printf("roofline time %.2f ms at %.0f GFLOP/s and %.1f GB/s\n", plan["roofline_ms"].get<double>(),
                plan["roofline_flops_per_second"].get<double>() / 1e9,
                plan["roofline_bytes_per_second"].get<double>() / 1e9);
  }
};

}  // namespace

void add_plan_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("plan", "price a training step: shapes, FLOPs, bytes, lifetimes, peak memory");
  static PlanCommand plan;
  command->add_option("model", plan.options.model, "the network (see fer models)")->required();
  plan.step.add_to(*command, plan.options);
  command->add_option("--classes", plan.classes, "outputs of the network")->capture_default_str();
  command->add_option("--optimizer", plan.options.optimizer, "whose moments are counted")->capture_default_str();
  command->add_option("--gflops", plan.gigaflops, "of the machine priced for (default: this one, measured)");
  command->add_option("--gbs", plan.gigabytes, "GB/s of its memory (default: this one, measured)");
  command->add_option("--page", plan.page, "also write a page: the arena as a map, the roofline, time by layer (HTML)");
  command->add_flag("--json", plan.json, "one JSON object on standard output");
  command->callback([] { plan.run(); });
}

}  // namespace fer
