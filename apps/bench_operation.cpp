// fer bench op
#include <chrono>
#include <iostream>

#include "analysis/single_operation.h"
#include "apps/bench.h"
#include "apps/step_setup.h"

namespace fer {

namespace {

struct BenchOperation : BenchOptions {
  OperationSetting operation;
  std::string shape, model;
  bool no_bias = false;

  // Times the nodes of what `run_once` runs.
  template <class Run>
  NodeTimes measure(Run run_once) const {
    NodeTimes times;
    for (int64_t repeat = -warm_up; repeat < repeats; ++repeat) {
      std::vector<double> seconds;
      const auto start = std::chrono::steady_clock::now();
      run_once(repeat + warm_up, &seconds);
      const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (repeat >= 0) {
        times.add(std::move(seconds), whole);
      }
    }
    return times;
  }

  void run() {
    if (operation.name.empty() == model.empty()) {
      fail("give the name of an operation, or --model for all of a network's; operations are ",
           comma_list(operation_names()));
    }
    options.model = model.empty() ? options.model : model;
    const Device device = apply();
    const Precision precision = parse_precision(step.precision);
    nlohmann::json result = result_of("op", device);
    const auto finish = [&](const Plan& plan, const NodeTimes& times) {
      const MachineLimits limits = measure_limits(device, precision);
      result["peak_flops_per_s"] = limits.flops_per_second;
      result["peak_bytes_per_s"] = limits.bytes_per_second;
      result["operations"] = operations_json(plan, limits, times);
    };
    if (model.empty()) {
      operation.shape = parse_shape(shape);
      operation.bias = !no_bias;
      SingleOperation single(operation, device, precision, options.seed);
      step.announce(device);
      result["operation"] = operation.name;
      result["shape"] = shape;
      finish(single.plan(), measure([&](int64_t, std::vector<double>* seconds) { single.run(seconds); }));
    } else {
      SteppedNetwork stepped = make_step(options, classes, device, precision);
      step.announce(device);
      result["model"] = model;
      result["batch"] = options.batch;
      finish(stepped.step->plan(), measure([&](int64_t number, std::vector<double>* seconds) {
               stepped.step->run(stepped.indices, 1e-3, {options.seed, static_cast<uint64_t>(number)}, seconds);
             }));
    }
    json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }

  static void print(const nlohmann::json& result) {
    std::printf("%5s %10s %10s %9s %8s %8s %8s %10s  %s\n", "count", "ms each", "ms total", "GFLOP/s", "of peak",
                "GB/s", "of GB/s", "workspace", "operation");
    for (const auto& row : result["operations"]) {
      const auto types = [&](const char* key) {
        const auto all = row[key].get<std::vector<std::string>>();
        const std::vector<std::string> some(all.begin(), all.begin() + std::min<std::ptrdiff_t>(4, std::ssize(all)));
        return comma_list(some) + (some.size() < all.size() ? ", …" : "");
      };
      std::printf("%5ld %10.4f %10.3f %9.1f %7.0f%% %8.1f %7.0f%% %10s  %s: %s -> %s\n", row["count"].get<int64_t>(),
                  row["ms"].get<double>(), row["total_ms"].get<double>(), row.value("gflops", 0.0),
                  100 * row.value("fraction_of_peak", 0.0), row.value("gbs", 0.0),
                  100 * row.value("fraction_of_bandwidth", 0.0),
                  format_bytes(row["workspace_bytes"].get<double>()).c_str(),
                  row["operation"].get<std::string>().c_str(), types("inputs").c_str(), types("outputs").c_str());
    }
    std::printf("%ld repeats on %ld threads; peak %.0f GFLOP/s, %.1f GB/s\n", result["repeats"].get<int64_t>(),
                result["threads"].get<int64_t>(), result["peak_flops_per_s"].get<double>() / 1e9,
                result["peak_bytes_per_s"].get<double>() / 1e9);
  }
};

}  // namespace

void add_bench_operation_command(CLI::App& bench) {
  CLI::App* command =
      bench.add_subcommand("op", "one operation and its gradients, or all that a network's step is made of");
  static BenchOperation op;
  CLI::Option* name = command->add_option("operation", op.operation.name, comma_list(operation_names()));
  command->add_option("--model", op.model, "every operation of this network's step, alike ones together");
  command->add_option("--shape", op.shape, "of what the operation is given: 32x48x48x64, or 32x1280 for rows")
      ->needs(name);
  name->needs("--shape");
  command->add_option("--out-channels", op.operation.out_channels, "of convolutions and linear (0: as many as in)");
  command->add_option("--kernel", op.operation.kernel, "side of the window")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--stride", op.operation.stride, "of the window")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--padding", op.operation.padding, "on all sides (default: half of the kernel)");
  command->add_option("--out-size", op.operation.size, "side of what resampling gives (0: twice the input's)");
  command->add_flag("--no-bias", op.no_bias, "without a bias");
  op.add_to(*command, "runs");
  command->callback([] { op.run(); });
}

}  // namespace fer
