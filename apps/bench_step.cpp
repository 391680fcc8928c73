// fer bench step
#include <algorithm>
#include <chrono>
#include <iostream>

#include "analysis/cost_page.h"
#include "apps/bench.h"
#include "apps/step_setup.h"
#include "tensor/accelerator.h"
#include "tensor/energy.h"
#include "tensor/file.h"

namespace fer {

namespace {

// What is taken of a GPU's memory, by whomever; 0 for the CPU.
int64_t used_bytes(Device device) {
  const auto accelerator = accelerator_for(device);
  return accelerator ? accelerator->total_bytes() - accelerator->free_bytes() : 0;
}

struct BenchStep : BenchOptions {
  std::string page;
  bool layers = false;

  // Seconds a step: of one whose nodes are timed too, or of as many as can follow each other without waiting.
  double step_seconds(SteppedNetwork& stepped, int64_t number, std::vector<double>* of_nodes) const {
    const int64_t steps = of_nodes != nullptr ? 1 : stepped.step->most_started();
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < steps; ++i) {
      stepped.step->start(stepped.indices, 1e-3, {options.seed, static_cast<uint64_t>(number)}, of_nodes);
    }
    stepped.step->collect();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(steps);
  }

  // Joules a step and watts, over a second of steps: the counters are slower than one. Nothing runs where there are
  // none.
  void put_energy(nlohmann::json& result, SteppedNetwork& stepped, Device device) const {
    EnergyMeter meter(energy_sources(device));
    Energy used = meter.lap();
    const auto start = std::chrono::steady_clock::now();
    double seconds = 0;
    int64_t steps = 0;
    while ((used.host || used.device) && seconds < 1) {
      step_seconds(stepped, steps, nullptr);
      steps += stepped.step->most_started();
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    used = meter.lap();
    const auto put_joules = [&](const std::string& who, const std::optional<double>& joules) {
      const nlohmann::json none = "unavailable";
      result[who + "_joules_per_step"] = joules ? nlohmann::json(*joules / static_cast<double>(steps)) : none;
      result[who + "_watts"] = joules ? nlohmann::json(*joules / seconds) : none;
    };
    put_joules("host", used.host);
    if (device == Device::cuda) {
      put_joules("device", used.device);
    }
  }

  void run() {
    const Device device = apply();
    SteppedNetwork stepped = make_step(options, classes, device, parse_precision(step.precision));
    step.announce(device);
    const Plan& plan = stepped.step->plan();
    const bool detailed = layers || !page.empty();
    // A GPU that is asked for the times of nodes runs them one by one, so that its step is timed without; the CPU's
    // clock is read twice a node. What that adds is measured where it matters: steps with and without take turns.
    const bool in_turns = detailed || device == Device::cuda;
    std::vector<double> total, rate, overhead;
    NodeTimes nodes;
    for (int64_t repeat = -warm_up; repeat < repeats; ++repeat) {
      std::vector<double> seconds;
      const double plain = in_turns ? step_seconds(stepped, repeat + warm_up, nullptr) : 0;
      const double timed = step_seconds(stepped, repeat + warm_up, &seconds);
      if (repeat < 0) {
        continue;
      }
      nodes.add(std::move(seconds), timed);
      total.push_back(device == Device::cuda ? plain : timed);
      rate.push_back(static_cast<double>(options.batch) / total.back());
      overhead.push_back(timed / plain - 1);
    }
    // Before the machine is measured: its buffers are not the step's.
    const int64_t resident = peak_resident_bytes();
    const int64_t taken = used_bytes(device);
    const MachineLimits limits = measure_limits(device, parse_precision(step.precision));
    double roofline_ms = 0;
    for (const PlannedNode& node : plan.nodes()) {
      roofline_ms += 1e3 * limits.least_seconds(node.cost);
    }
    const Spread typical = spread_of(total);
    const auto flops = static_cast<double>(plan.total_cost().done_flops());
    nlohmann::json result = result_of("step", device);
    result.update({{"model", options.model},
                   {"batch", options.batch},
                   {"parameters", stepped.parameters.total},
                   {"optimizer", options.optimizer},
                   {"min_ms", 1e3 * *std::min_element(total.begin(), total.end())},
                   {"max_ms", 1e3 * *std::max_element(total.begin(), total.end())},
                   {"layers_share_of_step", nodes.share_of_whole()},
                   {"flops_per_step", plan.total_cost().flops},
                   {"flops_done_per_step", plan.total_cost().done_flops()},
                   {"macs_per_step", plan.total_cost().flops / 2},
                   {"peak_flops_per_s", limits.flops_per_second},
                   {"flop_rate_fraction_of_peak", flops / typical.value / limits.flops_per_second},
                   {"peak_bytes_per_s", limits.bytes_per_second},
                   {"roofline_ms", roofline_ms},
                   {"kernels_per_step", stepped.step->executor().recorded_launches()},
                   {"queues", stepped.step->executor().queues()},
                   {"arena_bytes", plan.peak_bytes()},
                   {"lower_bound_bytes", plan.lower_bound_bytes()},
                   {"planned_peak_bytes", plan.peak_bytes() + plan.variable_bytes()},
                   {"peak_rss_bytes", resident},
                   {"peak_device_bytes", taken}});
    put_energy(result, stepped, device);
    put(result, "median_ms", scaled(typical, 1e3));
    put(result, "images_per_s", spread_of(rate));
    put(result, "forward_ms", scaled(nodes.of(plan, Phase::forward), 1e3));
    put(result, "backward_ms", scaled(nodes.of(plan, Phase::backward), 1e3));
    put(result, "optimizer_ms", scaled(nodes.of(plan, Phase::update), 1e3));
    if (in_turns) {
      put(result, "node_timing_overhead", spread_of(overhead));
    }
    if (detailed) {
      result["layers"] = layers_json(plan, limits, &nodes);
      result["arena"] = arena_json(plan);
    }
    if (!page.empty()) {
      write_file(page, render_cost_page(result, limits));
      std::cerr << "page: " << page << "\n";
    }
    if (!layers) {
      result.erase("layers");
      result.erase("arena");
    }
    json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }

  static void print(const nlohmann::json& r) {
    if (r.contains("layers")) {
      print_layers(r["layers"]);
    }
    const auto number = [&](const char* key) { return r[key].get<double>(); };
    std::printf("%s, batch %ld, %ld threads: median %.1f ms (%.1f to %.1f) a step, %.1f images/s\n",
                r["model"].get<std::string>().c_str(), r["batch"].get<int64_t>(), r["threads"].get<int64_t>(),
                number("median_ms"), number("min_ms"), number("max_ms"), number("images_per_s"));
    std::printf("forward %.1f ms, backward %.1f ms, optimizer %.1f ms\n", number("forward_ms"), number("backward_ms"),
                number("optimizer_ms"));
    std::printf("%.1f GFLOP a step, %.1f done, %.0f%% of the measured peak of %.0f GFLOP/s\n",
                number("flops_per_step") / 1e9, number("flops_done_per_step") / 1e9,
                100 * number("flop_rate_fraction_of_peak"), number("peak_flops_per_s") / 1e9);
    std::printf("memory: planned peak %s, peak resident %s\n", format_bytes(number("planned_peak_bytes")).c_str(),
                format_bytes(number("peak_rss_bytes")).c_str());
    if (r["core_latency_ns"].is_number()) {
      std::printf("from core to core: %.0f ns\n", number("core_latency_ns"));
    }
    for (const char* who : {"host", "device"}) {
      const std::string key = std::string(who) + "_joules_per_step";
      if (r.contains(key) && r[key].is_number()) {
        std::printf("energy, %s: %.2f J a step, %.1f W\n", who, r[key].get<double>(),
                    r[std::string(who) + "_watts"].get<double>());
      } else if (r.contains(key)) {
        std::printf("energy, %s: unavailable\n", who);
      }
    }
  }
};

}  // namespace

void add_bench_step_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("step", "time, memory and rate of a training step");
  static BenchStep step;
  command->add_option("--model", step.options.model, "the network (see fer models)")->capture_default_str();
  step.add_to(*command, "steps");
  command->add_option("--optimizer", step.options.optimizer, "sgd, adam, adamw, nadam, radam or rmsprop")
      ->capture_default_str();
  command->add_flag("--layers", step.layers, "every operation too: time, rates, memory");
  command->add_option("--page", step.page, "also write a page: the arena as a map, the roofline, time by layer (HTML)");
  command->callback([] { step.run(); });
}

}  // namespace fer
