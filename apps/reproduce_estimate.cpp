// What a paper's runs will cost, said before they begin.
#include <chrono>
#include <cstdio>

#include "analysis/format.h"
#include "analysis/machine.h"
#include "apps/reproduce_runner.h"
#include "apps/step_setup.h"

namespace fer::reproduce {

namespace {

using nlohmann::json;

constexpr double longest_measured_step = 1.0;  // seconds, at the machine's limits
constexpr double most_measured_bytes = 2e9;
constexpr double unmeasured_slowdown = 3;  // of a step against the machine's limits
constexpr int64_t measured_classes = 7;

struct Counts {
  double train = 0, validation = 0, test = 0, all = 0;
};

class Estimate {
 public:
  explicit Estimate(const std::vector<Task>& tasks) : tasks_(tasks), limits_(measure_machine()) {
    for (const Task& task : tasks) {
      counts_.push_back(count(task));
    }
  }

  double seconds(size_t index) {
    const Task& task = tasks_[index];
    const Counts& counts = counts_[index];
    if (task.step->command == "data") {
      return 0;
    }
    const Task& training = task.step->command == "train" ? task : tasks_[run_of(task)];
    const TrainOptions options = described(training.options);
    const double step = step_seconds(options);
    const double forward = step / 3 / static_cast<double>(options.batch);
    if (task.step->command == "train") {
      const double steps = std::floor(counts.train / static_cast<double>(options.batch));
      // The report shows the test images twice.
      return static_cast<double>(options.epochs) * (steps * step + counts.validation * forward) +
             2 * counts.test * forward;
    }
    return task.step->passes * forward * (task.step->command == "attack" ? attacked(task) : counts.test);
  }

 private:
  // The training that a task works on.
  size_t run_of(const Task& task) const {
    for (const size_t need : task.needs) {
      if (tasks_[need].step->command == "train") {
        return need;
      }
    }
    fail("step ", task.step->name, " refers to no training");
  }

  double attacked(const Task& task) const {
    const Counts& run = counts_[run_of(task)];
    const std::string part = task.options.value("part", "train");
    const double images = part == "all" ? run.all : part == "test" ? run.test : run.train;
    const auto limit = task.options.value("limit", 0.0);
    return limit > 0 ? std::min(limit, images) : images;
  }

  Counts count(const Task& task) {
    const std::string& command = task.step->command;
    if (command == "data" || !task.missing.empty()) {
      return {};
    }
    if (command == "attack") {
      const double all = static_cast<double>(task.step->versions) * attacked(task);
      return {all, 0, all, all};
    }
    if (command == "eval") {
      Counts counts = counts_[run_of(task)];
      for (const size_t need : task.needs) {
        if (tasks_[need].step->command == "attack") {
          counts.test = counts_[need].all;
        }
      }
      return counts;
    }
    const TrainOptions options = described(task.options);
    Counts counts;
    for (const size_t need : task.needs) {
      const Task& source = tasks_[need];
      if (source.step->command == "data") {
        counts = split_counts(source.output.string(), options);
      }
    }
    for (const size_t need : task.needs) {
      if (tasks_[need].step->command != "attack") {
        continue;
      }
      if (counts.all == 0) {  // the set itself is the data
        const size_t colon = options.split.find(':');
        const double share = colon == std::string::npos ? 0 : std::strtod(options.split.c_str() + colon + 1, nullptr);
        const double all = counts_[need].all, validation = std::max(0.0, options.validation);
        counts = {all * (1 - share) * (1 - validation), all * (1 - share) * validation, all * share, all};
      } else {  // beside the data
        counts.train += counts_[need].all - attacked(tasks_[need]);
      }
    }
    if (options.limit > 0) {
      counts.train = std::min(counts.train, static_cast<double>(options.limit));
    }
    return counts;
  }

  const Counts& split_counts(const std::string& file, const TrainOptions& options) {
    const std::string key =
        json{file, options.split, options.validation, options.seed, options.dedup}.dump();  // what a split depends on
    const auto known = splits_.find(key);
    if (known != splits_.end()) {
      return known->second;
    }
    const Dataset dataset = open_dataset(file);
    const Split split = make_split(dataset, {options.split, options.validation, options.seed, options.dedup});
    return splits_[key] = {static_cast<double>(split.train.size()), static_cast<double>(split.validation.size()),
                           static_cast<double>(split.test.size()), static_cast<double>(dataset.size())};
  }

  static TrainOptions described(json options) {
    options.erase("weights");
    if (options.value("adversarial", "").starts_with("stored:")) {
      options.erase("adversarial");
    }
    return train_options_from_json(options);
  }

  double step_seconds(TrainOptions options) {
    options.augment = "none";
    const std::string key = options.model + " " + std::to_string(options.batch) + " " + std::to_string(options.size) +
                            " " + options.optimizer + " " + options.adversarial + json(options.without).dump();
    const auto known = measured_.find(key);
    if (known != measured_.end()) {
      return known->second;
    }
    const SteppedNetwork priced = make_step(options, measured_classes, Device::null);
    const Cost cost = priced.step->plan().total_cost();
    double seconds = limits_.least_seconds(cost);
    const Plan& plan = priced.step->plan();
    if (seconds < longest_measured_step &&
        static_cast<double>(plan.peak_bytes() + plan.variable_bytes()) < most_measured_bytes) {
      SteppedNetwork stepped = make_step(options, measured_classes, Device::cpu);
      for (uint64_t repeat = 0; repeat < 2; ++repeat) {  // the first one warms up
        const auto start = std::chrono::steady_clock::now();
        stepped.step->run(stepped.indices, 1e-3, {options.seed, repeat});
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
    } else {
      seconds *= unmeasured_slowdown;
    }
    return measured_[key] = seconds;
  }

  const std::vector<Task>& tasks_;
  MachineLimits limits_;
  std::map<std::string, Counts> splits_;
  std::vector<Counts> counts_;
  std::map<std::string, double> measured_;
};

}  // namespace

void print_estimate(const std::vector<Task>& tasks) {
  Estimate estimate(tasks);
  double total = 0;
  std::fprintf(stderr, "what it will take at most on this machine:\n");
  for (size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = tasks[i];
    if (task.step->command == "data" || is_done(task)) {
      continue;
    }
    if (!task.missing.empty()) {
      std::fprintf(stderr, "  %-44s not run: %s\n", task.title().c_str(), task.missing.c_str());
      continue;
    }
    const double seconds = estimate.seconds(i);
    total += seconds;
    std::fprintf(stderr, "  %-44s %10.1f min%s%s\n", task.title().c_str(), seconds / 60, task.label.empty() ? "" : "  ",
                 task.label.c_str());
  }
  std::fprintf(stderr, "in all %s; Ctrl-C stops at any time, the same command goes on\n",
               format::duration(total).c_str());
}

}  // namespace fer::reproduce
