#include "apps/common.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <thread>

#include "models/pretrained.h"
#include "tensor/device.h"
#include "tensor/file.h"
#include "tensor/parallel.h"

namespace fer {

nlohmann::json read_json(const std::filesystem::path& path) {
  try {
    return nlohmann::json::parse(read_file(path));
  } catch (const nlohmann::json::exception& error) {
    fail(path.string(), " is not valid JSON: ", error.what());
  }
}

namespace {

// What `take` reads from the run's record; throws naming the file when it lacks that.
template <class Take>
void take_from_record(const std::filesystem::path& record, Take&& take) {
  const nlohmann::json json = read_json(record);
  try {
    take(json);
  } catch (const nlohmann::json::exception& error) {
    fail(record.string(), " is damaged: ", error.what());
  }
}

}  // namespace

void DataOptions::add_to(CLI::App& command, bool positional) {
  command
      .add_option(positional ? "data" : "--data", data,
                  "synthetic[:N], a FER2013 .csv, a folder of class folders, or a .safetensors set")
      ->required(positional);
  seed_option = command.add_option("--seed", seed, "of synthetic faces, splits, drawn samples and candidates");
  command.add_option("--ferplus", ferplus, "fer2013new.csv: FER+ votes for a FER2013 .csv");
  command.add_option("--labels", labels, "FER+ mode: majority, probability, crossentropy, multitarget or argmax10");
}

void DataOptions::default_to(const std::filesystem::path& run) {
  if (!std::filesystem::exists(run / "run.json")) {
    return;
  }
  TrainOptions options;
  take_from_record(run / "run.json",
                   [&](const nlohmann::json& json) { options = train_options_from_json(json.at("options")); });
  if (seed_option->count() == 0) {
    seed = options.seed;
  }
  if (data.empty()) {
    data = options.data;
    ferplus = options.ferplus;
    labels = options.labels;
  }
}

Dataset DataOptions::open() const {
  if (data.empty()) {
    throw CLI::RequiredError("--data");
  }
  DatasetOptions options;
  options.ferplus = ferplus;
  options.mode = labels == "none" && !ferplus.empty() ? FerPlusMode::majority : parse_ferplus_mode(labels);
  options.seed = seed;
  return open_dataset(data, options);
}

void PartOptions::add_to(CLI::App& command) {
  command.add_option("--split", split, "official, random:F or subject:F (default: the run's own)");
  command.add_option("--part", part, "test, validation, train or all")->capture_default_str();
  command.add_option("--limit", limit, "at most so many images, drawn with the seed (0: all)");
}

std::vector<int32_t> PartOptions::choose(const Dataset& dataset, const std::filesystem::path& run,
                                         uint64_t seed) const {
  std::vector<int32_t> chosen;
  const auto take = [&](const Split& from) {
    chosen = part == "train" ? from.train : part == "validation" ? from.validation : from.test;
  };
  const std::filesystem::path record = run / "run.json";
  const bool official = std::any_of(dataset.parts.begin(), dataset.parts.end(), [](Part p) { return p != Part::none; });
  if (part != "test" && part != "validation" && part != "train" && part != "all") {
    fail("--part '", part, "': must be test, validation, train or all");
  }
  if (part == "all") {
    chosen.resize(static_cast<size_t>(dataset.size()));
    std::iota(chosen.begin(), chosen.end(), 0);
  } else if (!split.empty()) {
    take(make_split(dataset, {.kind = split, .validation = -1, .seed = seed}));
  } else if (std::filesystem::exists(record)) {
    take_from_record(record, [&](const nlohmann::json& json) {
      if (json.at("data").at("digest") == digest(dataset)) {
        chosen = json.at("split").at(part).get<std::vector<int32_t>>();
      }
    });
  }
  if (chosen.empty() && split.empty() && part == "test") {
    if (official) {
      take(make_split(dataset, {}));
    } else {
      chosen.resize(static_cast<size_t>(dataset.size()));
      std::iota(chosen.begin(), chosen.end(), 0);
    }
  }
  if (chosen.empty()) {
    fail("--part ", part, " of this data holds no images");
  }
  return draw_samples(std::move(chosen), limit, seed);
}

std::string PartOptions::describe() const {
  return part + (split.empty() ? "" : " of " + split) + (limit > 0 ? ", at most " + std::to_string(limit) : "");
}

void check_classes(const std::string& run, const SavedModel& saved, const Dataset& dataset) {
  if (dataset.classes != saved.classes) {
    fail(run, " knows ", saved.classes.size(), " classes (", saved.classes.front(), " …), the data has ",
         dataset.classes.size(), " (", dataset.classes.front(), " …)");
  }
}

std::vector<const CLI::Option*> add_network_options(CLI::App& command, TrainOptions& options) {
  return {command.add_option("--size", options.size, "side of the network's input (default: the network's own)"),
          command.add_option("--channels", options.channels,
                             "channels of the network's input (default: the network's own)"),
          command.add_option("--dropout", options.dropout, "rate of its dropout layers (default: the paper's)"),
          command.add_option("--drop-path", options.drop_path,
                             "rate of stochastic depth at its last block (default: the network's own)"),
          command.add_option("--batch-norm-momentum", options.batch_norm_momentum,
                             "share of the new batch in running statistics (default: the network's own)"),
          command
              .add_option("--convention", options.convention,
                          "whose definition of it: torchvision, keras, or auto: as --weights has it, else torchvision")
              ->capture_default_str(),
          command
              .add_option("--normalise", options.normalise,
                          "pixels in front of the first layer: own, none, imagenet, symmetric or caffe")
              ->capture_default_str(),
          command.add_option("--head", options.head, "its classifier: paper's, or the one it was published with")
              ->capture_default_str(),
          command.add_option("--without", options.without, "parts of it to leave out, for ablations (see fer models)")
              ->delimiter(',')};
}

void DeviceOptions::add_to(CLI::App& command) {
  command.add_option("--device", device, "auto, cpu, cuda or null")->capture_default_str();
  command.add_option("--precision", precision, "fp32, tf32 or bf16 (the CPU computes in fp32)")->capture_default_str();
}

Device DeviceOptions::choose() const {
  const Device chosen = parse_device(device);
  if (parse_precision(precision) != Precision::fp32 && chosen != Device::cuda) {
    fail("--precision ", precision, " needs device cuda; device ", chosen, " computes in fp32");
  }
  return chosen;
}

void DeviceOptions::announce(Device chosen) const {
  if (device == "auto" && chosen != Device::cuda) {
    std::cerr << "device: " << chosen << " (" << unavailable_reason(Device::cuda) << ")\n";
  }
}

LoadedNetwork DeviceOptions::load(const std::filesystem::path& run_or_file) const {
  const Device chosen = choose();
  if (chosen == Device::null) {
    fail("--device null runs nothing; use cpu or cuda");
  }
  return load_network(run_or_file, chosen, parse_precision(precision));
}

std::vector<const CLI::Option*> StepOptions::add_to(CLI::App& command, TrainOptions& options) {
  DeviceOptions::add_to(command);
  command.add_option("--memory-limit", memory_limit, "most bytes a step may take: 256M, 1G (0: no limit)");
  std::vector<const CLI::Option*> bound = add_network_options(command, options);
  bound.push_back(command.add_option("--batch", options.batch, "images in a step")->capture_default_str());
  bound.push_back(command.add_option("--threads", options.threads, "processor threads (0: all)"));
  bound.push_back(command.add_option("--seed", options.seed, "of weights, order, dropout, augmentation, splits")
                      ->capture_default_str());
  return bound;
}

ModelOptions model_options(const TrainOptions& options, int64_t classes) {
  ModelOptions model;
  model.classes = classes;
  model.size = options.size;
  model.channels = options.channels;
  model.dropout = options.dropout;
  model.drop_path = options.drop_path;
  model.batch_norm_momentum = options.batch_norm_momentum;
  if (options.convention != "auto") {
    model.convention = choice_from<Convention>(options.convention);
  } else if (!options.weights.empty()) {
    model.convention = Pretrained(options.model, options.weights).convention().value_or(model.convention);
  }
  model.normalisation = choice_from<Normalisation>(options.normalise);
  model.head = choice_from<Head>(options.head);
  model.without = options.without;
  return resolve(find_model(options.model), model);
}

Device StepOptions::apply(TrainOptions& options) const {
  const Device chosen = choose();
  if (options.threads < 0) {
    fail("--threads ", options.threads, ": must be positive, or 0 for all");
  }
  if (options.threads > 0) {
    set_thread_count(static_cast<int>(options.threads));
  }
  if (!memory_limit.empty()) {
    options.memory_limit = parse_bytes(memory_limit);
  }
  return chosen;
}

int64_t parse_bytes(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  for (const char* suffix : {"K", "M", "G", "T"}) {
    value *= 1024;
    if (unit == suffix || unit == std::string(suffix) + "iB") {
      return static_cast<int64_t>(value);
    }
  }
  value = std::strtod(text.c_str(), nullptr);
  if (end == text.c_str() || !unit.empty() || value < 0) {
    fail("'", text, "' is not a number of bytes; 1000, 256M and 1.5G are");
  }
  return static_cast<int64_t>(value);
}

std::string format_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
  return text;
}

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void ProgressBar::update(const std::string& label, int64_t done, int64_t total, const std::string& detail) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const double now = seconds_now();
  if (now - last_ < (terminal ? 0.1 : 10.0)) {
    return;
  }
  last_ = now;
  if (!terminal) {
    std::cerr << label << " " << done << "/" << total << "  " << detail << "\n";
    return;
  }
  constexpr int64_t width = 24;
  const int64_t filled = total > 0 ? width * done / total : 0;
  std::cerr << "\r\033[K" << label << " [" << std::string(static_cast<size_t>(filled), '=')
            << std::string(static_cast<size_t>(width - filled), ' ') << "] " << done << "/" << total << "  " << detail
            << std::flush;
  drawn_ = true;
}

void ProgressBar::finish(const std::string& line) {
  std::cerr << (drawn_ ? "\r\033[K" : "") << line << "\n";
  drawn_ = false;
}

void ProgressBar::clear() {
  std::cerr << (drawn_ ? "\r\033[K" : "") << std::flush;
  drawn_ = false;
}

namespace {

std::atomic<bool> interrupt_requested{false};

void on_interrupt(int signal) {
  if (interrupt_requested.exchange(true)) {
    std::_Exit(128 + signal);
  }
}

}  // namespace

const std::atomic<bool>& interrupted() {
  static const bool installed = [] {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    return true;
  }();
  static_cast<void>(installed);
  return interrupt_requested;
}

nlohmann::json machine_description() {
  std::string processor = "unknown";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) == 0) {
      processor = line.substr(line.find(':') + 2);
      break;
    }
  }
  return {{"processor", processor},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", thread_count()},
          {"compiler", __VERSION__},
          {"version", FER_VERSION}};
}

}  // namespace fer
