// What the subcommands share: options of data and steps, parts of splits, progress on the terminal, interrupts.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "data/split.h"
#include "models/saved_model.h"
#include "train/trainer.h"

namespace fer {

// --data and how to read it.
struct DataOptions {
  std::string data;
  std::string ferplus;
  std::string labels = "none";
  uint64_t seed = 0;
  CLI::Option* seed_option = nullptr;

  void add_to(CLI::App& command, bool positional = false);
  // What was not given comes from the run's own options, where `run` is a run folder: a run is scored on its own data.
  void default_to(const std::filesystem::path& run);
  // Throws when --data is still missing.
  Dataset open() const;
};

// Which samples of a data set a command works on.
struct PartOptions {
  std::string split;          // empty: the run's own when it was made from this data, else official parts, else all
  std::string part = "test";  // test | validation | train | all
  int64_t limit = 0;          // at most so many, drawn with the seed; 0: all

  void add_to(CLI::App& command);
  std::vector<int32_t> choose(const Dataset& dataset, const std::filesystem::path& run, uint64_t seed) const;
  // "test of official, at most 100"
  std::string describe() const;
};

// What describes a network but its name and classes: --size --channels --dropout --head --without …
std::vector<const CLI::Option*> add_network_options(CLI::App& command, TrainOptions& options);

// Throws unless the data has the classes that `run` was trained on.
void check_classes(const std::string& run, const SavedModel& saved, const Dataset& dataset);

// Where a network runs and what it computes with.
struct DeviceOptions {
  std::string device = "auto";
  std::string precision = "fp32";

  void add_to(CLI::App& command);
  // Checks both. Returns the device.
  Device choose() const;
  // Says on standard error which device auto chose when that is not the GPU: once all else is known to be right, so
  // that a mistake is answered with one line.
  void announce(Device chosen) const;
  // The network of a run there.
  LoadedNetwork load(const std::filesystem::path& run_or_file) const;
};

// The step options, the same for train, plan and bench.
struct StepOptions : DeviceOptions {
  std::string memory_limit;  // empty: as the options have it

  // Binds --batch --threads --seed --memory-limit --device --precision and the network's options. Returns those that
  // are fields of `options`.
  std::vector<const CLI::Option*> add_to(CLI::App& command, TrainOptions& options);
  // Checks device and precision, sets the number of threads and a given memory limit. Returns the device.
  Device apply(TrainOptions& options) const;
};

// The network that the options describe, its own choices in place of those not given.
ModelOptions model_options(const TrainOptions& options, int64_t classes);

// A JSON file; throws naming it when it is missing or no JSON.
nlohmann::json read_json(const std::filesystem::path& path);

// "256M", "1.5G", "1000": bytes, in powers of 1024.
int64_t parse_bytes(const std::string& text);
// "1.2 GiB"
std::string format_bytes(double bytes);

// Progress on standard error: a bar that redraws itself on a terminal, a plain line every ten seconds elsewhere.
class ProgressBar {
 public:
  void update(const std::string& label, int64_t done, int64_t total, const std::string& detail);
  // Ends the bar and writes `line`.
  void finish(const std::string& line);
  // Ends the bar without a line.
  void clear();

 private:
  double last_ = 0;
  bool drawn_ = false;
};

// Set by the first Ctrl-C (or SIGTERM); the second one ends the program at once.
const std::atomic<bool>& interrupted();

// What run.json says about this machine and build.
nlohmann::json machine_description();

}  // namespace fer
