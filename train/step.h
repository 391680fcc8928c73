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
    double attack_seconds = 0;  // spent on making adversarial examples
  };
  // `indices` has one sample index for each place of the batch.
  Result run(const std::vector<int32_t>& indices, double learning_rate, const StepContext& step,
             std::vector<double>* seconds = nullptr);

  // To be called when the elements of the data's labels have changed.
  void labels_changed() { executor_->bind(labels_, data_.labels.view()); }

  const Plan& plan() const { return executor_->plan(); }

 private:
  Value loss_of(Value logits, Value target) const;

  const TrainOptions options_;
  TrainingData data_;
  Graph graph_;
  Value labels_, indices_, learning_rate_, class_weight_, loss_, correct_;
  std::unique_ptr<Executor> executor_;
  bool attacks_ = false;         // makes adversarial examples
  std::vector<double> seconds_;  // of each node, where that is to be told apart
};

}  // namespace fer
