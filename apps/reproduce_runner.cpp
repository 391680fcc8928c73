#include "apps/reproduce_runner.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>

#include "apps/child_process.h"
#include "apps/run_folder.h"
#include "tensor/file.h"

namespace fer::reproduce {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// An option's value as one word.
std::string word_of(const json& value) {
  if (value.is_array()) {
    std::string joined;
    for (const json& one : value) {
      joined += (joined.empty() ? "" : ",") + word_of(one);
    }
    return joined;
  }
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> words_of(const Task& task) {
  const std::string& command = task.step->command;
  std::vector<std::string> words = {command};
  for (const char* positional : {"run", "attacks"}) {
    if (command == (*positional == 'r' ? "eval" : "attack") && task.options.contains(positional)) {
      words.push_back(word_of(task.options.at(positional)));
    }
  }
  for (const auto& [key, value] : task.options.items()) {
    if ((command == "eval" && key == "run") || (command == "attack" && key == "attacks") || value == false) {
      continue;
    }
    words.push_back("--" + replaced(key, "_", "-"));
    if (value != true) {
      words.push_back(word_of(value));
    }
  }
  if (!task.output.empty()) {
    words.insert(words.end(), {"--out", task.output.string()});
  }
  if (command != "train") {
    words.push_back("--json");
  }
  return words;
}

// The classes, parts and people of the faces.
json describe_faces(const Dataset& dataset) {
  json per_class = json::object(), parts = json::object();
  for (const std::string& name : dataset.classes) {
    per_class[name] = 0;
  }
  for (const int32_t label : dataset.labels.as<int32_t>()) {
    json& count = per_class[dataset.classes[static_cast<size_t>(label)]];
    count = count.get<int64_t>() + 1;
  }
  const auto in_part = [&](Part part) { return std::count(dataset.parts.begin(), dataset.parts.end(), part); };
  return {{"images", dataset.size()},
          {"classes", dataset.classes.size()},
          {"subjects", std::set<std::string>(dataset.subjects.begin(), dataset.subjects.end()).size()},
          {"per_class", per_class},
          {"parts",
           {{"train", in_part(Part::train)},
            {"public_test", in_part(Part::public_test)},
            {"private_test", in_part(Part::private_test)}}},
          {"digest", digest(dataset)}};
}

// Counts that follow from the confusion matrix, beside each class's scores.
void add_class_counts(json& evaluation) {
  const json& confusion = evaluation.at("confusion");
  const auto n = evaluation.at("n").get<int64_t>();
  for (size_t k = 0; k < confusion.size(); ++k) {
    const auto right = confusion[k][k].get<int64_t>();
    int64_t predicted = 0, support = 0;
    for (size_t other = 0; other < confusion.size(); ++other) {
      predicted += confusion[other][k].get<int64_t>();
      support += confusion[k][other].get<int64_t>();
    }
    json& scores = evaluation.at("per_class").at(evaluation.at("classes")[k].get<std::string>());
    scores["predicted"] = predicted;
    scores["true_positives"] = right;
    scores["false_positives"] = predicted - right;
    if (n > support) {
      scores["false_positive_rate"] = static_cast<double>(predicted - right) / static_cast<double>(n - support);
    }
  }
}

// What a finished run folder says.
json training_result(const fs::path& run) {
  const RunRecord record = read_run_json(run);
  json result = {{"parameters", record.json.at("parameters")},
                 {"images",
                  {{"train", record.split.train.size()},
                   {"validation", record.split.validation.size()},
                   {"test", record.split.test.size()}}}};
  double seconds = 0, attack_seconds = 0;
  json last;
  std::istringstream lines(read_file(run / "log.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    last = json::parse(line);
    seconds += last.value("seconds", 0.0);
    attack_seconds += last.value("attack_seconds", 0.0);
  }
  result["seconds"] = seconds;
  result["attack_seconds"] = attack_seconds;
  result["epochs"] = last.at("epoch");
  result["accuracy"] = last.at("train_accuracy");
  result["loss"] = last.at("train_loss");
  result["n"] = std::llround(last.at("images_per_second").get<double>() * last.at("seconds").get<double>());
  for (const char* key : {"planned_peak_bytes", "peak_rss_bytes"}) {
    result[key] = last.at(key);
  }
  if (fs::exists(run / "evaluation.json")) {
    result["test"] = read_json(run / "evaluation.json");
    add_class_counts(result["test"]);
  }
  return result;
}

json result_of(const Task& task, const std::string& out) {
  if (task.step->command == "train") {
    return training_result(task.output);
  }
  json result = json::parse(out);
  if (task.step->command == "eval") {
    add_class_counts(result);
  } else {
    int64_t images = 0;
    for (const json& version : result.at("versions")) {
      images += version.at("images").get<int64_t>();
    }
    result["images"] = images;
  }
  return result;
}

const std::string& source_of(const Task& task, const Settings& settings) {
  return task.options.contains("labels") ? settings.ferplus : settings.data;
}

// The record of a task as far as it is known before it is run.
json record_of(const Paper& paper, const Task& task, const Settings& settings, const char* state) {
  return {{"paper", paper.number}, {"step", task.step->name},           {"protocol", protocols[task.protocol]},
          {"seed", task.seed},     {"command", task.command(settings)}, {"label", task.label},
          {"state", state}};
}

fs::path result_path(const fs::path& out, const Step& step, size_t protocol, uint64_t seed) {
  const fs::path folder = out / "results";
  return step.command == "data" ? folder / (step.name + ".json")
                                : folder / protocols[protocol] / (step.name + "-seed" + std::to_string(seed) + ".json");
}

// Fills in the tasks of a paper one by one.
class Planner {
 public:
  Planner(const Paper& paper, const Settings& settings) : paper_(paper), settings_(settings) {
    // Which part is the paper's test set depends on the data.
    const Dataset dataset = open_dataset(settings.data, {});
    const bool both = std::count(dataset.parts.begin(), dataset.parts.end(), Part::public_test) > 0 &&
                      std::count(dataset.parts.begin(), dataset.parts.end(), Part::private_test) > 0;
    part_ = both ? "validation" : "test";
    has_validation_ = both;
  }

  // The step and what it needs.
  size_t add(const Step& step, size_t protocol, uint64_t seed) {
    const bool shared = step.command == "data";
    const auto known = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) {
      return task.step == &step && (shared || (task.protocol == protocol && task.seed == seed));
    });
    if (known != tasks_.end()) {
      return static_cast<size_t>(known - tasks_.begin());
    }
    Task task;
    task.step = &step;
    task.protocol = protocol;
    task.seed = shared ? 0 : seed;
    const json full = step_options(step, protocol, false, 0);
    json options = step_options(step, protocol, settings_.quick, settings_.shorten);
    for (const std::string& name : references(options)) {
      task.needs.push_back(add(*paper_.find_step(name), protocol, seed));
    }
    label(task, full, options);
    validate(task, options);
    if (!shared) {
      options["seed"] = seed;
    }
    fill_in(task, options);
    set_paths(task);
    if (shared) {
      task.missing = options.contains("labels") && settings_.ferplus.empty() ? "--ferplus was not given" : "";
    } else {
      task.words = words_of(task);
    }
    tasks_.push_back(std::move(task));
    return tasks_.size() - 1;
  }

  std::vector<Task> take() { return std::move(tasks_); }

 private:
  void label(Task& task, const json& full, const json& options) const {
    if (settings_.quick && task.step->command != "data") {
      task.label = "quick";
    }
    const json before = full.value("epochs", json()), after = options.value("epochs", json());
    if (task.step->command == "train" && before != after) {
      task.label += (task.label.empty() ? "" : ", ") + after.dump() + " of " + before.dump() + " epochs";
    }
    for (const size_t need : task.needs) {
      if (task.label.empty()) {
        task.label = tasks_[need].label;  // scores of a shortened run are those of a shortened run
      }
    }
  }

  // Where the data lacks the part that a run is to be stopped by, as many of the training images stand in for it.
  void validate(Task& task, json& options) const {
    if (task.step->command == "train" && options.value("early_stopping", 0) > 0 && !options.contains("validation") &&
        options.value("split", "") == "official" && !has_validation_) {
      options["validation"] = 0.125;
      task.label += std::string(task.label.empty() ? "" : ", ") + "an eighth of the training images for validation";
    }
  }

  void fill_in(Task& task, const json& options) {
    if (std::ranges::count(settings_.left_out, task.step->name) > 0) {
      task.missing = "--leave-out " + task.step->name;
    }
    for (const auto& [key, value] : options.items()) {
      if (value == "{weights}") {
        const auto given = settings_.weights.find(options.value("model", ""));
        if (given != settings_.weights.end()) {
          task.options[key] = fs::absolute(given->second).string();
        } else if (task.step->needs_weights) {
          task.missing = "--weights " + options.value("model", "") + "=FILE was not given";
        } else {
          task.label += std::string(task.label.empty() ? "" : ", ") + "from random weights";
        }
      } else if (value.is_string()) {
        std::string text = replaced(value.get<std::string>(), "{part}", part_);
        for (const size_t need : task.needs) {
          const std::regex name("@" + tasks_[need].step->name + "(?![A-Za-z0-9_])");
          text = std::regex_replace(text, name, tasks_[need].output.string());
        }
        task.options[key] = text;
      } else {
        task.options[key] = value;
      }
    }
    for (const size_t need : task.needs) {
      task.missing = task.missing.empty() ? tasks_[need].missing : task.missing;
    }
  }

  void set_paths(Task& task) const {
    const Step& step = *task.step;
    const std::string name = step.name + "-seed" + std::to_string(task.seed);
    task.result = result_path(settings_.out, step, task.protocol, task.seed);
    if (step.command == "data") {
      task.output = settings_.out / "data" / (step.name + ".safetensors");
    } else if (step.command == "train") {
      task.output = settings_.out / "runs" / protocols[task.protocol] / name;
    } else if (step.command == "attack") {
      task.output = settings_.out / "sets" / protocols[task.protocol] / (name + ".safetensors");
    }
  }

  const Paper& paper_;
  const Settings& settings_;
  bool has_validation_ = false;
  std::string part_;
  std::vector<Task> tasks_;
};

// What the faces are: `images`, `classes`, `subjects`, `per_class`, `parts`, `digest`. Writes the file of a data step.
json prepare_data(const Paper& paper, const Task& task, const Settings& settings) {
  DatasetOptions options;
  if (task.options.contains("labels")) {
    options.ferplus = settings.ferplus;
    options.mode = parse_ferplus_mode(task.options.at("labels").get<std::string>());
  }
  Dataset dataset = open_dataset(settings.data, options);
  json result = describe_faces(dataset);
  if (settings.quick) {
    std::vector<int32_t> all(static_cast<size_t>(dataset.size()));
    std::iota(all.begin(), all.end(), 0);
    dataset = select(dataset, draw_samples(all, paper.quick_images, 0));
  }
  result["used"] = dataset.size();
  result["source"] = source_of(task, settings);
  fs::create_directories(task.output.parent_path());
  write_dataset(task.output, dataset);
  return result;
}

}  // namespace

std::string Task::title() const {
  return step->command == "data"
             ? "data " + step->name
             : std::string(protocols[protocol]) + " " + step->name + ", seed " + std::to_string(seed);
}

std::string Task::command(const Settings& settings) const {
  if (step->command == "data") {
    return "data " + settings.data + (options.contains("labels") ? " " + word_of(options.at("labels")) : "") +
           (settings.quick ? " quick" : "");
  }
  std::string text = "fer";
  for (const std::string& word : words) {
    text += " " + replaced(word, settings.out.string(), "OUT");
  }
  return text;
}

std::vector<Task> plan_tasks(const Paper& paper, const std::vector<const Table*>& tables,
                             const std::vector<size_t>& wanted_protocols, const Settings& settings) {
  Planner planner(paper, settings);
  for (const size_t protocol : wanted_protocols) {
    std::set<std::string> wanted;
    for (const Table* table : tables) {
      for (const auto& row : table->cells) {
        for (const auto& cell : row) {
          if (cell) {
            wanted.insert({cell->step, cell->minus});
          }
        }
      }
      for (const Worth& worth : table->worths) {
        for (const Worth::Source* source : {&worth.a, &worth.b}) {
          if (source->protocol == protocol) {
            wanted.insert(source->step);
          }
        }
      }
    }
    // Seed by seed: every cell has a first figure before any has a second.
    const std::vector<uint64_t> seeds = settings.quick ? std::vector<uint64_t>{0} : paper.seeds[protocol];
    for (const uint64_t seed : seeds) {
      for (const Step& step : paper.steps) {
        if (wanted.count(step.name) != 0 && step.in_protocol[protocol]) {
          planner.add(step, protocol, seed);
        }
      }
    }
  }
  return planner.take();
}

void check_kept_results(const std::vector<Task>& tasks, const Settings& settings) {
  for (const Task& task : tasks) {
    if (fs::exists(task.result)) {
      const std::string kept = read_json(task.result).value("command", "");
      if (kept != task.command(settings)) {
        fail(task.result.string(), " was made with other settings (", kept, "; now ", task.command(settings),
             "); give another --out");
      }
    }
  }
}

bool is_done(const Task& task) {
  return fs::exists(task.result) && read_json(task.result).value("state", "") == "done" &&
         (task.output.empty() || fs::exists(task.output));
}

bool run_task(const Paper& paper, const std::vector<Task>& tasks, size_t index, const Settings& settings) {
  const Task& task = tasks[index];
  if (is_done(task)) {
    return true;
  }
  fs::create_directories(task.result.parent_path());
  json record = record_of(paper, task, settings, "running");
  const auto finish = [&](const char* state, const char* key, json value) {
    record["state"] = state;
    record[key] = std::move(value);
    write_file(task.result, record.dump(1));
    return record["state"] == "done";
  };
  for (const size_t need : task.needs) {
    if (read_json(tasks[need].result).value("state", "") != "done") {
      return finish("failed", "error", "needs " + tasks[need].title() + ", which failed");
    }
  }
  write_file(task.result, record.dump(1));
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  if (task.step->command == "data") {
    const json result = prepare_data(paper, task, settings);
    record["seconds"] = seconds();
    return finish("done", "result", result);
  }
  std::vector<std::string> words = task.words;
  if (task.step->command == "train" && fs::exists(task.output / "last.safetensors")) {
    words = {"train", "--resume", "--out", task.output.string()};
  } else if (task.step->command == "attack") {
    fs::create_directories(task.output.parent_path());
    if (fs::exists(task.output.string() + ".checkpoint.safetensors")) {
      words.push_back("--resume");
    }
  }
  const ChildResult child = run_self(words);
  record["seconds"] = seconds();
  if (child.interrupted) {
    throw Interrupted();
  }
  if (child.status != 0) {
    return finish("failed", "error",
                  child.last_error.empty() ? "ended with status " + std::to_string(child.status) : child.last_error);
  }
  try {
    return finish("done", "result", result_of(task, child.out));
  } catch (const json::exception& error) {
    return finish("failed", "error", std::string("its result cannot be read: ") + error.what());
  }
}

std::vector<json> kept_results(const fs::path& out, const Step& step, size_t protocol) {
  std::vector<json> results;
  if (step.command == "data") {
    const fs::path path = result_path(out, step, protocol, 0);
    if (fs::exists(path)) {
      results.push_back(read_json(path));
    }
    return results;
  }
  const fs::path folder = out / "results" / protocols[protocol];
  const std::string begin = step.name + "-seed";
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(begin, 0) == 0 && entry.path().extension() == ".json") {
      results.push_back(read_json(entry.path()));
    }
  }
  std::sort(results.begin(), results.end(),
            [](const json& a, const json& b) { return a.value("seed", 0) < b.value("seed", 0); });
  return results;
}

}  // namespace fer::reproduce
