// fer bench forward
#include <algorithm>
#include <iostream>

#include "analysis/machine.h"
#include "apps/bench.h"

namespace fer {

namespace {

// From u8 images to probabilities, by the very classifier of fer eval and fer predict.
struct BenchForward : BenchOptions {
  bool layers = false;

  void run() {
    const Device device = apply();
    const Precision precision = parse_precision(step.precision);
    if (!step.memory_limit.empty()) {
      fail("--memory-limit is for training steps; a forward pass keeps nothing that could be computed again");
    }
    const ModelOptions model = model_options(options, classes);
    const Network network = make_network(options.model, model, options.seed, device, precision);
    const Shape image{model.size, model.size, model.channels};
    Tensor images(DType::u8, {options.batch, image[0], image[1], image[2]});
    RandomSequence random(Philox(options.seed, 0));
    for (uint8_t& pixel : images.as<uint8_t>()) {
      pixel = static_cast<uint8_t>(random.below(256));
    }
    Classifier classifier(network, image, DType::u8, options.batch);
    step.announce(device);
    std::vector<double> of_nodes;
    std::vector<std::vector<double>> of_passes;
    const std::vector<double> times = time_repeats(warm_up, repeats, [&] {
      classifier.probabilities(images, layers ? &of_nodes : nullptr);
      of_passes.push_back(of_nodes);
    });
    const Spread typical = spread_of(times);
    // Before the machine is measured: its buffers are not the network's.
    const int64_t resident = peak_resident_bytes();
    const MachineLimits limits = measure_limits(device, precision);
    const Plan& plan = classifier.plan();
    const int64_t parts = classifier.parts();
    const Cost cost = parts * plan.total_cost();
    const auto flops = static_cast<double>(cost.done_flops());
    nlohmann::json result = result_of("forward", device);
    result.update({{"model", options.model},
                   {"batch", options.batch},
                   {"parameters", count_parameters(options.model, model).total},
                   {"min_ms", 1e3 * *std::min_element(times.begin(), times.end())},
                   {"max_ms", 1e3 * *std::max_element(times.begin(), times.end())},
                   {"images_per_s", static_cast<double>(options.batch) / typical.value},
                   {"flops", cost.flops},
                   {"flops_done", cost.done_flops()},
                   {"peak_flops_per_s", limits.flops_per_second},
                   {"flop_rate_fraction_of_peak", flops / typical.value / limits.flops_per_second},
                   {"parts", parts},
                   {"kept_bytes", plan.kept_bytes()},
                   {"planned_peak_bytes", parts * plan.peak_bytes() + plan.kept_bytes() + plan.variable_bytes()},
                   {"peak_rss_bytes", resident}});
    put(result, "median_ms", scaled(typical, 1e3));
    if (layers) {
      NodeTimes nodes;
      for (size_t pass = 0; pass < times.size(); ++pass) {
        nodes.add(of_passes[pass + static_cast<size_t>(warm_up)], times[pass]);
      }
      result["layers"] = layers_json(plan, limits, &nodes, parts);
      result["layers_share_of_pass"] = nodes.share_of_whole();
    }
    json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }

  static void print(const nlohmann::json& r) {
    if (r.contains("layers")) {
      print_layers(r["layers"]);
    }
    const auto number = [&](const char* key) { return r[key].get<double>(); };
    std::printf("%s, batch %ld, %ld threads: median %.1f ms (%.1f to %.1f) a forward pass, %.1f images/s\n",
                r["model"].get<std::string>().c_str(), r["batch"].get<int64_t>(), r["threads"].get<int64_t>(),
                number("median_ms"), number("min_ms"), number("max_ms"), number("images_per_s"));
    std::printf("%.1f GFLOP a pass, %.1f done, %.0f%% of the measured peak of %.0f GFLOP/s\n", number("flops") / 1e9,
                number("flops_done") / 1e9, 100 * number("flop_rate_fraction_of_peak"),
                number("peak_flops_per_s") / 1e9);
    std::printf("memory: planned peak %s, peak resident %s\n", format_bytes(number("planned_peak_bytes")).c_str(),
                format_bytes(number("peak_rss_bytes")).c_str());
  }
};

}  // namespace

void add_bench_forward_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("forward", "time and memory of a forward pass, as fer eval runs it");
  static BenchForward forward;
  command->add_option("--model", forward.options.model, "the network (see fer models)")->capture_default_str();
  forward.add_to(*command, "passes");
  command->add_flag("--layers", forward.layers, "every operation too: time, rates, memory");
  command->callback([] { forward.run(); });
}

}  // namespace fer
