#include "apps/run_folder.h"

#include <algorithm>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "attacks/fgsm.h"
#include "data/image.h"
#include "tensor/energy.h"
#include "tensor/file.h"

namespace fer {

namespace {

constexpr int64_t evaluation_batch = 64;
constexpr size_t gallery_size = 24;
constexpr size_t panel_count = 6;
constexpr double panel_eps = 0.03;

Shape image_shape(const Dataset& dataset) { return {dataset.height(), dataset.width(), dataset.channels()}; }

struct Guess {
  int64_t label = 0;
  double confidence = 0;
};

Guess best_of(const float* row, int64_t classes) {
  const float* most = std::max_element(row, row + classes);
  return {most - row, static_cast<double>(*most)};
}

Tensor row_of(const Tensor& images, int64_t row) {
  const Shape& shape = images.shape();
  return Tensor::from({shape[1], shape[2], shape[3]}, images.data<float>() + row * (images.size() / shape[0]));
}

// A spread of test faces: as many wrong ones as there are, up to half.
std::vector<SamplePrediction> gallery(const Dataset& dataset, const std::vector<int32_t>& samples,
                                      const std::vector<float>& probabilities) {
  const auto classes = static_cast<int64_t>(dataset.classes.size());
  std::vector<size_t> right, wrong;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Guess guess = best_of(probabilities.data() + static_cast<int64_t>(i) * classes, classes);
    (guess.label == dataset.labels.data<int32_t>()[samples[i]] ? right : wrong).push_back(i);
  }
  const auto spread = [](const std::vector<size_t>& from, size_t count) {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < std::min(count, from.size()); ++i) {
      chosen.push_back(from[i * from.size() / std::min(count, from.size())]);
    }
    return chosen;
  };
  std::vector<size_t> chosen = spread(wrong, gallery_size / 2);
  const std::vector<size_t> rest = spread(right, gallery_size - chosen.size());
  chosen.insert(chosen.begin(), rest.begin(), rest.end());
  std::vector<SamplePrediction> result;
  for (size_t i : chosen) {
    const Guess guess = best_of(probabilities.data() + static_cast<int64_t>(i) * classes, classes);
    result.push_back({image_at(dataset, samples[i]),
                      dataset.classes[static_cast<size_t>(dataset.labels.data<int32_t>()[samples[i]])],
                      dataset.classes[static_cast<size_t>(guess.label)], guess.confidence});
  }
  return result;
}

// Faces that were right before a FGSM step, those that fell first.
std::vector<AttackPanel> attack_panels(const Network& network, const Dataset& dataset,
                                       const std::vector<int32_t>& samples) {
  const size_t count = std::min<size_t>(samples.size(), 64);
  std::vector<int32_t> some;
  for (size_t i = 0; i < count; ++i) {
    some.push_back(samples[i * samples.size() / count]);
  }
  const Dataset chosen = select(dataset, some);
  const Tensor images = unit_images(chosen);
  const Shape shape = image_shape(dataset);
  const Tensor attacked = Fgsm(network, shape, {panel_eps}, evaluation_batch).attack(images, chosen.labels)[0];
  Classifier classifier(network, shape, DType::f32, evaluation_batch);
  const std::vector<float> before = classifier.probabilities(images), after = classifier.probabilities(attacked);

  std::vector<AttackPanel> fell, stood;
  for (int64_t i = 0; i < chosen.size(); ++i) {
    const Guess clean = best_of(before.data() + i * network.classes, network.classes);
    const Guess fooled = best_of(after.data() + i * network.classes, network.classes);
    const int64_t label = chosen.labels.data<int32_t>()[i];
    if (clean.label != label) {
      continue;
    }
    AttackPanel panel{row_of(images, i),
                      row_of(attacked, i),
                      "fgsm eps 0.03",
                      dataset.classes[static_cast<size_t>(label)],
                      dataset.classes[static_cast<size_t>(clean.label)],
                      dataset.classes[static_cast<size_t>(fooled.label)],
                      clean.confidence,
                      fooled.confidence};
    (fooled.label == label ? stood : fell).push_back(std::move(panel));
  }
  fell.insert(fell.end(), stood.begin(), stood.end());
  fell.resize(std::min(fell.size(), panel_count));
  return fell;
}

std::vector<std::pair<std::string, std::string>> cost_rows(const RunReport& report) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (report.epochs.empty()) {
    return rows;
  }
  double seconds = 0, attack_seconds = 0, best_rate = 0, planned = 0, resident = 0;
  for (const auto& epoch : report.epochs) {
    seconds += epoch.value("seconds", 0.0);
    attack_seconds += epoch.value("attack_seconds", 0.0);
    best_rate = std::max(best_rate, epoch.value("images_per_second", 0.0));
    planned = std::max(planned, epoch.value("planned_peak_bytes", 0.0));
    resident = std::max(resident, epoch.value("peak_rss_bytes", 0.0));
  }
  std::ostringstream text;
  text.precision(3);
  const auto row = [&](const char* label, auto&&... parts) {
    text.str("");
    (text << ... << parts);
    rows.emplace_back(label, text.str());
  };
  row("Training steps", report.epochs.size(), " epochs in ", seconds, " s");
  if (attack_seconds > 0) {
    row("Of these, making adversarial examples", attack_seconds, " s");
  }
  if (const auto stored = report.run.find("stored_set"); stored != report.run.end()) {
    const auto number = [&](const char* key) { return stored->value(key, 0.0); };
    row("Stored adversarial examples: making them", number("generate_seconds"), " s, peak memory ",
        format_bytes(number("peak_rss_bytes")));
    row("Stored adversarial examples: storing them", number("store_seconds"), " s, ",
        format_bytes(number("image_bytes")));
  }
  row("Throughput, fastest epoch", static_cast<int64_t>(best_rate), " images/s");
  row("Planned peak of a step (values, weights and moments)", format_bytes(planned));
  row("Peak resident memory of the process", format_bytes(resident));
  const auto energy = [&](const char* label, const char* key) {
    std::optional<double> joules = 0.0;
    for (const auto& epoch : report.epochs) {
      const auto found = epoch.find(key);
      accumulate(joules,
                 found != epoch.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt);
    }
    joules ? row(label, *joules, " J, ", *joules / std::max(seconds, 1e-9), " W on average")
           : row(label, "unavailable");
  };
  energy("Energy of training steps, processor and memory", "host_joules");
  if (report.epochs.back().contains("device_joules")) {
    energy("Energy of training steps, GPU", "device_joules");
  }
  return rows;
}

std::string with_interval(double accuracy, const Interval& interval, int64_t n) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f%% [%.1f, %.1f] n=%ld", 100 * accuracy, 100 * interval.low, 100 * interval.high,
                n);
  return text;
}

// A row for the clean accuracy and for each attack, with 95% Wilson intervals.
std::string score_table(const std::vector<RunReport>& reports) {
  std::vector<std::string> rows{"clean accuracy"};
  for (const RunReport& report : reports) {
    for (const RobustEvaluation& attack : report.attacks) {
      if (std::find(rows.begin(), rows.end(), attack.description) == rows.end()) {
        rows.push_back(attack.description);
      }
    }
  }
  size_t longest = 0;
  for (const std::string& row : rows) {
    longest = std::max(longest, row.size());
  }
  const int title = static_cast<int>(longest) + 2;
  std::ostringstream table;
  const auto cell = [&](const std::string& text, int width) { table << std::left << std::setw(width) << text; };
  cell("", title);
  for (const RunReport& report : reports) {
    cell(report.name, 30);
  }
  for (const std::string& row : rows) {
    table << "\n";
    cell(row, title);
    for (const RunReport& report : reports) {
      std::string text = "-";
      if (row == rows[0] && report.test) {
        text = with_interval(report.test->accuracy, report.test->interval, report.test->n);
      }
      for (const RobustEvaluation& attack : report.attacks) {
        if (attack.description == row) {
          text = with_interval(attack.robust_accuracy, attack.robust_interval, attack.n);
        }
      }
      cell(text, 30);
    }
  }
  table << "\n";
  return table.str();
}

}  // namespace

void write_run_json(const std::filesystem::path& run, const TrainOptions& options, const Dataset& dataset,
                    const Split& split, const std::map<std::string, std::string>& stored_set) {
  nlohmann::json json = {
      {"options", to_json(options)},
      {"seed", options.seed},
      {"machine", machine_description()},
      {"parameters",
       [&] {
         const ParameterCount count =
             count_parameters(options.model, model_options(options, static_cast<int64_t>(dataset.classes.size())));
         return nlohmann::json{{"total", count.total}, {"trainable", count.trainable}};
       }()},
      {"data",
       {{"specification", options.data},
        {"digest", digest(dataset)},
        {"images", dataset.size()},
        {"classes", dataset.classes},
        {"shape", std::vector<int64_t>{dataset.height(), dataset.width(), dataset.channels()}}}},
      {"split",
       {{"kind", options.split}, {"train", split.train}, {"validation", split.validation}, {"test", split.test}}}};
  if (!stored_set.empty()) {
    nlohmann::json& stored = json["stored_set"];
    for (const char* key : {"attack", "channels", "store", "model", "model_digest", "source_digest", "seed"}) {
      stored[key] = stored_set.count(key) != 0 ? stored_set.at(key) : "unknown";
    }
    for (const char* key : {"images_used", "generate_seconds", "store_seconds", "image_bytes", "peak_rss_bytes"}) {
      if (stored_set.count(key) != 0) {
        stored[key] = std::strtod(stored_set.at(key).c_str(), nullptr);
      }
    }
  }
  write_file(run / "run.json", json.dump(1));
}

RunRecord read_run_json(const std::filesystem::path& run) {
  RunRecord record;
  record.json = read_json(run / "run.json");
  try {
    record.options = train_options_from_json(record.json.at("options"));
    const auto& split = record.json.at("split");
    split.at("train").get_to(record.split.train);
    split.at("validation").get_to(record.split.validation);
    split.at("test").get_to(record.split.test);
    record.json.at("data").at("digest").get_to(record.digest);
  } catch (const nlohmann::json::exception& error) {
    fail((run / "run.json").string(), " is damaged: ", error.what());
  }
  return record;
}

Dataset open_training_data(const TrainOptions& options) {
  DataOptions data;
  data.data = options.data;
  data.ferplus = options.ferplus;
  data.labels = options.labels;
  data.seed = options.seed;
  return data.open();
}

Dataset open_run_data(const RunRecord& record) {
  const Dataset dataset = open_training_data(record.options);
  if (digest(dataset) != record.digest) {
    fail("data ", record.options.data, " is not what the run was made from: its digest is ", digest(dataset), ", was ",
         record.digest);
  }
  return dataset;
}

Evaluation evaluate_network(const Network& network, const Dataset& dataset, const std::vector<int32_t>& samples) {
  std::vector<int32_t> labels;
  for (int32_t sample : samples) {
    labels.push_back(dataset.labels.data<int32_t>()[sample]);
  }
  Classifier classifier(network, image_shape(dataset), dataset.images.dtype(), evaluation_batch);
  return evaluate(dataset.classes, labels, classifier.probabilities(dataset.images, samples));
}

void record_attack(const std::filesystem::path& run, const RobustEvaluation& result) {
  const std::filesystem::path path = run / "attacks.json";
  nlohmann::json all = std::filesystem::exists(path) ? read_json(path) : nlohmann::json::array();
  nlohmann::json kept = nlohmann::json::array();
  for (const auto& one : all) {
    if (one.value("description", "") != result.description) {
      kept.push_back(one);
    }
  }
  kept.push_back(to_json(result));
  write_file(path, kept.dump(1));
}

RunReport collect_report(const std::filesystem::path& run) {
  RunReport report;
  const RunRecord record = read_run_json(run);
  report.name = std::filesystem::weakly_canonical(run).filename().string();
  report.run = record.json;
  if (std::filesystem::exists(run / "log.jsonl")) {
    std::istringstream lines(read_file(run / "log.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      report.epochs.push_back(nlohmann::json::parse(line));
    }
  }
  if (std::filesystem::exists(run / "evaluation.json")) {
    report.test = evaluation_from_json(read_json(run / "evaluation.json"));
  }
  if (std::filesystem::exists(run / "attacks.json")) {
    for (const auto& one : read_json(run / "attacks.json")) {
      report.attacks.push_back(robust_evaluation_from_json(one));
    }
  }
  if (std::filesystem::exists(run / "distortions.json")) {
    report.distortions = read_json(run / "distortions.json");
  }
  report.cost = cost_rows(report);
  if (!std::filesystem::exists(run / "best.safetensors") || record.split.test.empty()) {
    return report;
  }
  try {
    const Dataset dataset = open_run_data(record);
    const LoadedNetwork loaded = load_network(run);
    Classifier classifier(loaded.network, image_shape(dataset), dataset.images.dtype(), evaluation_batch);
    report.samples = gallery(dataset, record.split.test, classifier.probabilities(dataset.images, record.split.test));
    report.panels = attack_panels(loaded.network, dataset, record.split.test);
  } catch (const Error& error) {
    std::cerr << "report: " << run.string() << ": no pictures: " << error.what() << "\n";
  }
  return report;
}

std::string write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& out) {
  std::vector<RunReport> reports;
  for (const auto& run : runs) {
    reports.push_back(collect_report(run));
  }
  write_file(out, render_report(runs.size() == 1 ? "Ferrotype run " + reports[0].name : "Ferrotype report", reports));
  return score_table(reports);
}

}  // namespace fer
