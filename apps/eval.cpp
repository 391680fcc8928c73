// fer eval
#include <iostream>

#include "apps/attacks.h"
#include "apps/run_folder.h"

namespace fer {

namespace {

struct EvalCommand {
  std::string run;
  DataOptions data;
  PartOptions part;
  AttackOptions attack;
  std::vector<std::string> attacks;
  bool json = false;

  void run_it() {
    const LoadedNetwork loaded = load_network(run);
    data.default_to(run);
    const uint64_t seed = data.seed;
    const Dataset dataset = data.open();
    if (dataset.classes != loaded.saved.classes) {
      fail(run, " knows ", loaded.saved.classes.size(), " classes (", loaded.saved.classes.front(),
           " …), the data has ", dataset.classes.size(), " (", dataset.classes.front(), " …)");
    }
    const std::filesystem::path folder = std::filesystem::is_directory(run) ? run : "";
    const std::vector<int32_t> samples = part.choose(dataset, folder, seed);
    const Evaluation evaluation = evaluate_network(loaded.network, dataset, samples);
    nlohmann::json result = to_json(evaluation);
    if (!json) {
      std::cout << to_text(evaluation);
    }
    if (!attacks.empty()) {
      const Dataset chosen = select(dataset, samples);
      const Tensor images = unit_images(chosen);
      const std::vector<uint8_t> clean = correct_predictions(loaded.network, images, chosen.labels);
      nlohmann::json list = nlohmann::json::array();
      for (const std::string& name : attacks) {
        for (const AttackedImages& attacked : run_attack(name, attack, loaded.network, images, chosen.labels, seed)) {
          RobustEvaluation robust = summarize_attack(
              attacked.attack,
              attacked.description + (dataset.channels() == 1 ? ", grey-tied" : "") + ", seed " + std::to_string(seed),
              attacked.eps, clean, correct_predictions(loaded.network, attacked.images, chosen.labels));
          robust.queries = attacked.queries;
          robust.seconds = attacked.seconds;
          list.push_back(to_json(robust));
          if (!folder.empty()) {
            record_attack(folder, robust);
          }
          if (!json) {
            std::cout << to_text(robust);
          }
        }
      }
      // The first attack's figures stand beside the clean ones; the others follow in a list.
      for (const char* key : {"clean_accuracy", "robust_accuracy", "success_rate", "queries"}) {
        result[key] = list[0][key];
      }
      result["attacks"] = list;
    }
    if (json) {
      std::cout << result.dump(2) << "\n";
    }
  }
};

}  // namespace

void add_eval_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("eval", "score a network, clean and under attack");
  auto options = std::make_shared<EvalCommand>();
  command->add_option("run", options->run, "a run folder or a weights file")->required();
  options->data.add_to(*command);
  options->part.add_to(*command);
  command->add_option("--attack", options->attacks, "fgsm, one-pixel, or both with a comma")->delimiter(',');
  options->attack.add_to(*command);
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
