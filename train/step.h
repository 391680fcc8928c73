// One training step as a graph: gather, decode, augment, forward, loss, backward, update.
#pragma once

#include <memory>
#include <optional>

#include "layers/network.h"
#include "train/options.h"

namespace fer {

// The data a step gathers from, by index; bound once, read in place.
struct TrainingData {
  Tensor images;   // [N,H,W,C] u8, or f32 in [0,1]
  Tensor labels;   // i32 [N]
  Tensor targets;  // f32 [N,classes] or empty
  bool multi_target = false;
  std::optional<Tensor> class_weight;  // f32 [classes]
};

// `head` is the prefix of the parameters that --freeze backbone trains.
class TrainingStep {
 public:
  TrainingStep(const TrainOptions& options, const Network& network, const std::string& head, const TrainingData& data,
               const PlanOptions& plan_options = {});

  struct Result {
    double loss = 0;
    int64_t correct = 0;
    double attack_share = 0;  // of the step's time, spent on making adversarial examples
  };
  // `indices` has one sample index for each place of the batch. `seconds`: see Executor::run.
  Result run(const std::vector<int32_t>& indices, double learning_rate, const StepContext& step,
             std::vector<double>* seconds = nullptr);

  // The same in two: steps are started, on a GPU up to most_started() before it is waited for; then collected, the
  // oldest first.
  void start(const std::vector<int32_t>& indices, double learning_rate, const StepContext& step,
             std::vector<double>* seconds = nullptr);
  std::vector<Result> collect();
  int64_t most_started() const;

  // To be called when the elements of the data's labels have changed.
  void labels_changed() { executor_->bind(labels_, data_.labels.view()); }

  const Executor& executor() const { return *executor_; }
  const Plan& plan() const { return executor_->plan(); }

 private:
  void measure_attack(const std::vector<double>& seconds);
  Value loss_of(Value logits, Value target) const;

  const TrainOptions options_;
  TrainingData data_;
  Graph graph_;
  Value labels_, indices_, learning_rate_, class_weight_, loss_, correct_;
  std::unique_ptr<Executor> executor_;
  bool attacks_ = false;         // makes adversarial examples
  std::vector<double> seconds_;  // of each node, where that is to be told apart
  double attack_share_ = 0;      // when last measured
  int64_t steps_ = 0;            // started
  std::vector<Result> started_;  // not collected; on a GPU their numbers are in
  Tensor losses_, corrects_;     // which the host and the GPU share; empty on the CPU
};

}  // namespace fer
