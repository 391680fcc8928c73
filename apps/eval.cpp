// fer eval
#include <iostream>

#include "apps/attacks.h"
#include "apps/distortions.h"
#include "apps/run_folder.h"

namespace fer {

namespace {

struct EvalCommand {
  std::string run;
  DataOptions data;
  PartOptions part;
  AttackOptions attack;
  DeviceOptions device;
  DistortOptions distort;
  std::vector<std::string> attacks;
  bool json = false;

  void run_it() {
    const bool distorting = distort.given();
    const LoadedNetwork loaded = device.load(run);
    data.default_to(run);
    const uint64_t seed = data.seed;
    const Dataset dataset = data.open();
    check_classes(run, loaded.saved, dataset);
    const std::filesystem::path folder = std::filesystem::is_directory(run) ? run : "";
    const std::vector<int32_t> samples = part.choose(dataset, folder, seed);
    const Evaluation evaluation = evaluate_network(loaded.network, dataset, samples);
    nlohmann::json result = to_json(evaluation);
    result["seed"] = seed;
    result["split"] = part.describe();
    result["data_digest"] = digest(dataset);
    result["model_digest"] = weights_digest(loaded.network);
    if (!json) {
      std::cout << to_text(evaluation);
    }
    if (!attacks.empty()) {
      add_attacks(loaded, select(dataset, samples), folder, result);
    }
    if (distorting) {
      result["distortions"] = score_distortions(distort, loaded, select(dataset, samples), seed, folder);
      if (!json) {
        std::cout << distortions_text(result["distortions"]);
      }
    }
    if (json) {
      std::cout << result.dump(2) << "\n";
    }
    device.announce(loaded.network.device);
  }

  void add_attacks(const LoadedNetwork& loaded, Dataset chosen, const std::filesystem::path& folder,
                   nlohmann::json& result) {
    const int32_t target = target_class(attack, chosen.classes);
    if (target >= 0) {  // faces of that class are there already
      chosen = without_class(chosen, target);
    }
    std::string channels = attack.channels;
    const Tensor images = attackable_images(unit_images(chosen), loaded.saved.options.channels, channels);
    const std::vector<uint8_t> clean = correct_predictions(loaded.network, images, chosen.labels);
    std::vector<uint8_t> standing = clean;
    std::vector<RobustEvaluation> all;
    for (const std::string& name : attacks) {
      for (const AttackedImages& attacked :
           run_attack(name, attack, loaded.network, images, attack_labels(chosen.labels, target), data.seed)) {
        const std::vector<uint8_t> correct =
            correct_predictions(loaded.network, attacked.result.attacked, chosen.labels);
        RobustEvaluation robust = summarize(attacked.description, channels, clean, correct);
        robust.queries = attacked.mean_queries();
        robust.seconds = attacked.seconds;
        if (target >= 0) {
          robust.success_rate = share_reached(clean, attacked.result.success);
        }
        for (size_t i = 0; i < standing.size(); ++i) {
          standing[i] = standing[i] != 0 && correct[i] != 0;
        }
        all.push_back(std::move(robust));
      }
    }
    if (all.size() > 1) {
      all.push_back(worst_case(all, channels, clean, standing));
      result["worst_case"] = to_json(all.back());
    }
    nlohmann::json list = nlohmann::json::array();
    for (const RobustEvaluation& robust : all) {
      if (robust.attack != "worst-case") {
        list.push_back(to_json(robust));
      }
      if (!folder.empty()) {
        record_attack(folder, robust);
      }
      if (!json) {
        std::cout << to_text(robust);
      }
    }
    // The first attack's figures stand beside the clean ones; all follow in a list.
    for (const char* key : {"clean_accuracy", "robust_accuracy", "success_rate", "queries"}) {
      result[key] = list[0][key];
    }
    result["attacks"] = list;
  }

  static Dataset without_class(const Dataset& dataset, int32_t target) {
    std::vector<int32_t> others;
    for (int32_t i = 0; i < dataset.size(); ++i) {
      if (dataset.labels.data<int32_t>()[i] != target) {
        others.push_back(i);
      }
    }
    if (others.empty()) {
      fail("--target ", dataset.classes[static_cast<size_t>(target)], ": all chosen images are of that class");
    }
    return select(dataset, others);
  }

  static double share_reached(const std::vector<uint8_t>& clean, const std::vector<uint8_t>& reached) {
    int64_t right = 0, both = 0;
    for (size_t i = 0; i < clean.size(); ++i) {
      right += clean[i] != 0;
      both += clean[i] != 0 && reached[i] != 0;
    }
    return right == 0 ? 0 : static_cast<double>(both) / static_cast<double>(right);
  }

  RobustEvaluation summarize(const AttackDescription& description, const std::string& channels,
                             const std::vector<uint8_t>& clean, const std::vector<uint8_t>& correct) const {
    RobustEvaluation robust =
        summarize_attack(description.attack,
                         description.text + (attack.target.empty() ? "" : ", towards " + attack.target) + ", " +
                             channels + ", seed " + std::to_string(data.seed),
                         description.eps, clean, correct);
    robust.norm = description.norm;
    robust.steps = description.steps;
    robust.restarts = description.restarts;
    robust.pixels = description.pixels;
    robust.channels = channels;
    robust.target = attack.target;
    robust.seed = data.seed;
    robust.split = part.describe();
    return robust;
  }

  // An image counts as right when it was so before and under every attack.
  RobustEvaluation worst_case(const std::vector<RobustEvaluation>& all, const std::string& channels,
                              const std::vector<uint8_t>& clean, const std::vector<uint8_t>& standing) const {
    AttackDescription worst{.attack = "worst-case", .text = "worst case of", .norm = ""};
    double queries = 0, seconds = 0;
    for (const RobustEvaluation& one : all) {
      worst.text += (&one == &all.front() ? " " : "; ") + one.description.substr(0, one.description.find(',')) +
                    (one.steps > 1 ? " x " + std::to_string(one.steps) : "");
      worst.norm += worst.norm.find(one.norm) != std::string::npos ? "" : (worst.norm.empty() ? "" : ", ") + one.norm;
      worst.eps = std::max(worst.eps, one.eps);
      worst.steps = std::max(worst.steps, one.steps);
      worst.restarts = std::max(worst.restarts, one.restarts);
      worst.pixels = std::max(worst.pixels, one.pixels);
      queries += one.queries;
      seconds += one.seconds;
    }
    RobustEvaluation robust = summarize(worst, channels, clean, standing);
    robust.queries = queries;
    robust.seconds = seconds;
    return robust;
  }
};

}  // namespace

void add_eval_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("eval", "score a network: clean, under attack, on distorted images");
  auto options = std::make_shared<EvalCommand>();
  command->add_option("run", options->run, "a run folder or a weights file")->required();
  options->data.add_to(*command);
  options->part.add_to(*command);
  command
      ->add_option("--attack", options->attacks,
                   "fgsm, pgd, one-pixel, k-pixel, several with commas; of several the worst for each image too")
      ->delimiter(',');
  options->attack.add_to(*command);
  options->distort.add_to(*command);
  options->device.add_to(*command);
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
