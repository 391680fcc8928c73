// The training loop: epochs, validation, early stopping, checkpoints, the log, exact resume.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/split.h"
#include "layers/network.h"
#include "layers/weights.h"
#include "tensor/energy.h"
#include "train/schedule.h"
#include "train/step.h"

namespace fer {

struct Progress {
  int64_t epoch = 0, epochs = 0;  // epoch counts from 1
  int64_t batch = 0, batches = 0;
  double loss = 0, accuracy = 0;  // of the epoch so far
  double images_per_second = 0;
  double seconds_left = 0;                 // of the whole run
  const nlohmann::json* record = nullptr;  // the epoch's log record, once it is over
};

class Trainer {
 public:
  // Trains `network` from the values its variables have; its classifier's parameters begin with `head`. Weights are
  // written with `metadata`. `run` is the run folder, made if missing. Throws before anything is written when options
  // and data do not fit together.
  Trainer(const TrainOptions& options, Network network, std::string head, std::map<std::string, std::string> metadata,
          const Dataset& dataset, const Split& split, std::filesystem::path run);

  // Takes up where last.safetensors of the run folder stopped, or at the beginning when there is none yet.
  void resume();

  enum class Outcome { finished, stopped_early, interrupted };

  // Trains to the end, or until `stop` is set: then the step is finished, the checkpoint written. Every epoch appends
  // to log.jsonl, then writes best.safetensors when it is the best so far, then last.safetensors.
  Outcome train(const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop);

  const Plan& plan() const { return step_->plan(); }
  int64_t training_samples() const { return static_cast<int64_t>(samples_.size()); }
  // What the stored adversarial set says of itself, its cost included, and how many of its images are learned from;
  // empty when there is none.
  const std::map<std::string, std::string>& stored_set() const { return stored_; }

 private:
  // All that a checkpoint must hold beside the variables.
  struct State {
    int64_t epoch = 0;  // epochs finished
    int64_t batch = 0;  // batches finished of the next one
    int64_t step = 0;
    double loss_sum = 0, seconds = 0, attack_seconds = 0;
    std::optional<double> host_joules = 0.0, device_joules = 0.0;
    int64_t correct = 0;
    double best_loss = 1e300;
    int64_t epochs_since_best = 0;
  };

  void assemble(const Dataset& dataset, const Split& split);
  // Whether epoch `epoch`, counted from 0, trains the classifier alone.
  bool frozen(int64_t epoch) const;
  std::unique_ptr<TrainingStep> make_step(bool frozen, Device device) const;
  void unfreeze();
  int64_t batches_tracked() const;
  void add_stored_images(const Dataset& dataset, const Split& split);
  std::vector<int32_t> order_of(int64_t epoch) const;
  void draw_labels(int64_t epoch);
  void count_energy();
  nlohmann::json finish_epoch();
  void save_last() const;
  void save_best() const;
  void append_log(const nlohmann::json& record);

  TrainOptions options_;
  Network network_;
  std::string head_;
  std::map<std::string, std::string> metadata_;
  std::filesystem::path run_;
  TrainingData data_;
  std::vector<int32_t> samples_;  // rows of data_.images to train on
  Tensor label_odds_;             // f32 [N,classes] to draw each epoch's labels from (FER+ probability), or empty
  Tensor validation_images_;
  std::vector<int32_t> validation_;  // rows of validation_images_
  std::vector<int32_t> validation_labels_;
  std::map<std::string, std::string> stored_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<Classifier> validator_;
  Schedule schedule_;
  State state_;
  EnergyMeter energy_;
  std::vector<nlohmann::json> log_;
};

}  // namespace fer
