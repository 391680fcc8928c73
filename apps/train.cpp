// fer train
#include <cstdio>
#include <iostream>

#include "apps/run_folder.h"
#include "models/pretrained.h"
#include "tensor/file.h"

namespace fer {

namespace {

// Options given on the command line win over those of --config: each is copied only when it was given.
class TrainCommand {
 public:
  void add_to(CLI::App& program) {
    CLI::App* command = program.add_subcommand("train", "train a network; writes a run folder");
    options_ = step_.add_to(*command, given_);
    bind(command, "--model", &TrainOptions::model, "the network (see fer models)");
    bind(command, "--data", &TrainOptions::data, "synthetic[:N], a FER2013 .csv, a folder, or a .safetensors set");
    bind(command, "--ferplus", &TrainOptions::ferplus, "fer2013new.csv: FER+ votes for a FER2013 .csv");
    bind(command, "--labels", &TrainOptions::labels,
         "FER+ mode: majority, probability, crossentropy, multitarget, argmax10");
    bind(command, "--epochs", &TrainOptions::epochs, "passes over the training images");
    bind(command, "--lr", &TrainOptions::lr, "learning rate");
    bind(command, "--optimizer", &TrainOptions::optimizer, "sgd, adam, adamw, nadam, radam or rmsprop");
    bind(command, "--momentum", &TrainOptions::momentum, "of sgd");
    bind_flag(command, "--nesterov", &TrainOptions::nesterov, "Nesterov's momentum for sgd");
    bind(command, "--schedule", &TrainOptions::schedule, "constant, cosine, onecycle, step, plateau or keras-decay:R");
    bind(command, "--weight-decay", &TrainOptions::weight_decay, "added to the gradient; decoupled in adamw");
    bind(command, "--label-smoothing", &TrainOptions::label_smoothing, "share of the target spread over all classes");
    bind_flag(command, "--class-weights", &TrainOptions::class_weights, "weigh classes by their inverse frequency");
    bind(command, "--augment", &TrainOptions::augment, "none, flip, paper or strong");
    bind(command, "--split", &TrainOptions::split, "official, random:F or subject:F");
    bind(command, "--validation", &TrainOptions::validation, "share of the training images set aside");
    bind_flag(command, "--dedup", &TrainOptions::dedup, "remove training images that stand in validation or test too");
    bind(command, "--limit", &TrainOptions::limit, "train on at most so many images, drawn with the seed (0: all)");
    bind(command, "--early-stopping", &TrainOptions::early_stopping,
         "stop after so many epochs without a better validation loss");
    bind(
        command, "--weights", &TrainOptions::weights,
        "start from this run folder, .safetensors (ours, torchvision's, timm's) or Keras .h5; PART=FILE,… for networks "
        "with backbones");
    bind_flag(command, "--partial", &TrainOptions::partial, "tensors that --weights lacks keep their first values");
    bind(command, "--freeze", &TrainOptions::freeze, "none, or backbone: train the classifier alone");
    bind(command, "--unfreeze-after", &TrainOptions::unfreeze_after,
         "epochs after which a frozen backbone trains too (0: never)");
    bind(command, "--adversarial", &TrainOptions::adversarial,
         "none, stored:FILE.safetensors[,ratio=R], fly:fgsm,eps=E[,ratio=R] or "
         "fly:pgd,eps=E[,steps=N][,step=S][,start=random|none][,ratio=R]");
    command->add_option("--config", config_, "options from a JSON file; those given here win");
    command->add_flag("--resume", resume_, "go on from last.safetensors of the run folder, with its own options");
    command->add_option("--out", run_, "the run folder")->required();
    command->callback([this] { run(); });
  }

 private:
  template <class T>
  void bind(CLI::App* command, const std::string& name, T TrainOptions::*member, const std::string& help) {
    keep(command->add_option(name, given_.*member, help)->capture_default_str());
  }
  void bind_flag(CLI::App* command, const std::string& name, bool TrainOptions::*member, const std::string& help) {
    keep(command->add_flag(name, given_.*member, help));
  }
  void keep(CLI::Option* option) { options_.push_back(option); }

  // The options of this run: the config file's, then those given.
  TrainOptions merged() const {
    nlohmann::json json = nlohmann::json::object();
    if (!config_.empty()) {
      try {
        json = nlohmann::json::parse(read_file(config_));
      } catch (const nlohmann::json::exception& error) {
        fail("--config ", config_, " is not valid JSON: ", error.what());
      }
      if (!json.is_object()) {
        fail("--config ", config_, ": must be an object such as {\"model\": \"cnn_1block\", \"epochs\": 8}");
      }
    }
    const nlohmann::json given = to_json(given_);
    for (const CLI::Option* option : options_) {
      std::string key = option->get_lnames().front();
      std::replace(key.begin(), key.end(), '-', '_');
      if (option->count() > 0) {
        json[key] = given.at(key);
      }
    }
    return train_options_from_json(json);
  }

  void refuse_options_on_resume() const {
    for (const CLI::Option* option : options_) {
      if (option->count() > 0) {
        fail("--resume takes its options from run.json; --", option->get_lnames().front(), " cannot be changed");
      }
    }
  }

  void run() {
    TrainOptions options;
    std::optional<RunRecord> record;  // of the run that goes on
    if (resume_) {
      refuse_options_on_resume();
      record = read_run_json(run_);
      options = record->options;
    } else {
      options = merged();
      if (options.data.empty()) {
        throw CLI::RequiredError("--data");
      }
    }
    const Device device = step_.apply(options);
    if (device == Device::null) {
      fail("--device null prices a step without running it; use fer plan");
    }
    options.check();
    const std::filesystem::path folder = run_;
    if (!resume_ && std::filesystem::exists(folder / "last.safetensors")) {
      fail(folder.string(), " holds a run already; give --resume to go on with it, or another --out");
    }

    const Dataset dataset = open_training_data(options);
    Split split =
        record ? record->split : make_split(dataset, {options.split, options.validation, options.seed, options.dedup});
    split.train = draw_samples(std::move(split.train), options.limit, options.seed);
    const SavedModel model{options.model, model_options(options, static_cast<int64_t>(dataset.classes.size())),
                           dataset.classes};
    options.convention = name_of_choice(model.options.convention);
    const Network network =
        make_network(options.model, model.options, options.seed, device, parse_precision(step_.precision));
    std::vector<std::string> weight_notes;
    if (!options.weights.empty() && !std::filesystem::exists(folder / "last.safetensors")) {
      weight_notes = Pretrained(options.model, options.weights).load(model.options, options.partial, network);
    }
    Trainer trainer(options, network, find_model(options.model).head, to_metadata(model), dataset, split, folder);
    interrupted();  // from here on Ctrl-C leaves a checkpoint
    if (resume_) {
      if (record->digest != digest(dataset)) {
        fail("--resume: ", options.data, " is not the data this run was made from");
      }
      trainer.resume();
    } else {
      write_run_json(folder, options, dataset, split, trainer.stored_set());
    }
    step_.announce(device);
    describe(options, trainer, split);
    for (const std::string& note : weight_notes) {
      std::cerr << "weights: " << note << "\n";
    }
    if (train(trainer) == Trainer::Outcome::interrupted) {
      std::cerr << "interrupted; go on with: fer train --resume --out " << folder.string() << "\n";
      throw Interrupted();
    }
    score(folder, dataset, split, device);
  }

  void describe(const TrainOptions& options, const Trainer& trainer, const Split& split) const {
    const Plan& plan = trainer.plan();
    std::fprintf(stderr,
                 "%s: %ld training, %zu validation, %zu test images; batch %ld; planned peak %s (%s values, %s weights "
                 "and moments)\n",
                 options.model.c_str(), trainer.training_samples(), split.validation.size(), split.test.size(),
                 options.batch, format_bytes(static_cast<double>(plan.peak_bytes() + plan.variable_bytes())).c_str(),
                 format_bytes(static_cast<double>(plan.peak_bytes())).c_str(),
                 format_bytes(static_cast<double>(plan.variable_bytes())).c_str());
  }

  static Trainer::Outcome train(Trainer& trainer) {
    ProgressBar bar;
    const auto report = [&](const Progress& progress) {
      char text[160];
      if (progress.record != nullptr) {
        const nlohmann::json& record = *progress.record;
        int used =
            std::snprintf(text, sizeof text, "epoch %3ld/%ld  loss %.4f  accuracy %5.1f%%", progress.epoch,
                          progress.epochs, record.value("train_loss", 0.0), 100 * record.value("train_accuracy", 0.0));
        if (record.contains("validation_loss")) {
          used += std::snprintf(text + used, sizeof text - static_cast<size_t>(used), "  validation %.4f  %5.1f%%",
                                record.value("validation_loss", 0.0), 100 * record.value("validation_accuracy", 0.0));
        }
        std::snprintf(text + used, sizeof text - static_cast<size_t>(used), "  %.0f images/s  %.1f s",
                      record.value("images_per_second", 0.0), record.value("seconds", 0.0));
        bar.finish(text);
        return;
      }
      std::snprintf(text, sizeof text, "loss %.4f  accuracy %5.1f%%  %.0f images/s  %.0f s left", progress.loss,
                    100 * progress.accuracy, progress.images_per_second, progress.seconds_left);
      bar.update("epoch " + std::to_string(progress.epoch) + "/" + std::to_string(progress.epochs), progress.batch,
                 progress.batches, text);
    };
    return trainer.train(report, interrupted());
  }

  static void score(const std::filesystem::path& folder, const Dataset& dataset, const Split& split, Device device) {
    if (!split.test.empty()) {
      const Evaluation evaluation = evaluate_network(load_network(folder, device).network, dataset, split.test);
      write_file(folder / "evaluation.json", to_json(evaluation).dump(1));
      std::cout << to_text(evaluation);
    }
    write_report({folder}, folder / "report.html");
    std::cout << "report: " << (folder / "report.html").string() << "\n";
  }

  TrainOptions given_;
  StepOptions step_;
  std::vector<const CLI::Option*> options_;
  std::string config_, run_;
  bool resume_ = false;
};

}  // namespace

void add_train_command(CLI::App& program) {
  static TrainCommand command;
  command.add_to(program);
}

}  // namespace fer
