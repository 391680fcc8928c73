#include "train/step.h"

#include <algorithm>
#include <utility>

namespace fer {

namespace {

constexpr int64_t steps_ahead = 32;     // that a GPU is given before it is waited for
constexpr double recomputed = 0.06;     // of a step's estimated time, at most, to save memory
constexpr int64_t measured_every = 64;  // steps, of those that a GPU spends on attacks

// The largest batch below options.batch, and of two or more, whose step needs no more than `room` bytes for its values;
// 1 when there is none.
int64_t batch_that_fits(TrainOptions options, Network network, const std::string& head, const TrainingData& data,
                        const PlanOptions& plan_options, int64_t room) {
  network.device = Device::null;
  options.memory_limit = 0;
  int64_t fits = 1, too_large = options.batch;
  while (too_large - fits > 1) {
    options.batch = (fits + too_large) / 2;
    const TrainingStep step(options, network, head, data, plan_options);
    (step.plan().peak_bytes() <= room ? fits : too_large) = options.batch;
  }
  return fits;
}

}  // namespace

TrainingStep::TrainingStep(const TrainOptions& options, const Network& network, const std::string& head,
                           const TrainingData& data, const PlanOptions& plan_options)
    : options_(options), data_(data) {
  const auto resident = [&](const char* name, const Tensor& tensor) {
    return graph_.resident(name, tensor.dtype(), tensor.shape());
  };
  const Value images = resident("images", data_.images);
  labels_ = resident("labels", data_.labels);
  const Value targets = data_.targets.empty() ? Value() : resident("targets", data_.targets);
  if (data_.class_weight) {
    class_weight_ = resident("class_weight", *data_.class_weight);
  }
  indices_ = graph_.input("indices", DType::i32, {options.batch});
  learning_rate_ = graph_.input("learning_rate", DType::f32, {});

  const std::unique_ptr<Module> model = network.make(graph_);
  const bool frozen = options.freeze == "backbone";
  const Mode mode = frozen ? Mode::frozen : Mode::training;
  const Value batch_labels = gather(labels_, indices_);
  const Value target = targets.valid() ? gather(targets, indices_) : batch_labels;
  const Value x = augment(decode(gather(images, indices_)), augmentation(options.augment));
  const AdversarialTraining adversarial = parse_adversarial(options.adversarial);

  Value attacked;
  if (adversarial.kind == AdversarialTraining::Kind::fly) {
    const Restore phase(graph_.phase, Phase::attack);
    attacked = pgd(*model, x, batch_labels, adversarial.attack);
  }
  const Value logits = model->forward(x, mode);
  loss_ = loss_of(logits, target);
  correct_ = count_correct(logits, batch_labels);
  if (attacked.valid()) {
    const Value attacked_loss = loss_of(model->forward(attacked, mode), target);
    loss_ = add(scale(loss_, 1 - adversarial.ratio), scale(attacked_loss, adversarial.ratio));
  }
  attacks_ = attacked.valid();

  std::vector<Value> parameters = graph_.trainable();
  if (frozen) {
    std::erase_if(parameters, [&](Value value) {
      return graph_.values()[static_cast<size_t>(value.id())].name.rfind(head + ".", 0) != 0;
    });
  }
  const std::vector<Value> slopes = gradients(loss_, parameters);
  const Restore phase(graph_.phase, Phase::update);
  const Value update = optimizer_step(optimizer_params(options), learning_rate_, parameters, slopes);

  PlanOptions device_options = network.planned(plan_options);
  device_options.recompute = recomputed;
  const std::vector results{loss_, correct_, update};
  Plan plan = make_plan(graph_, results, device_options);
  if (options.memory_limit > 0 && plan.peak_bytes() + plan.variable_bytes() > options.memory_limit) {
    device_options.memory_limit = std::max(int64_t{1}, options.memory_limit - plan.variable_bytes());
    plan = make_plan(graph_, results, device_options);
  }
  if (options.memory_limit > 0 && plan.peak_bytes() + plan.variable_bytes() > options.memory_limit) {
    fail("--memory-limit: ", options.memory_limit,
         " bytes are not enough for this step, whatever is computed again: ", plan.peak_bytes() + plan.variable_bytes(),
         " are the least (", plan.peak_bytes(), " for values, ", plan.variable_bytes(),
         " for weights and moments); a smaller --batch needs less");
  }
  try {
    executor_ = std::make_unique<Executor>(std::move(plan), network.device, network.variables, network.arena);
  } catch (const OutOfDeviceMemory& error) {
    const int64_t fits = batch_that_fits(options, network, head, data, device_options, error.room);
    fail(error.what(), fits > 1 ? "; --batch " + std::to_string(fits) + " would fit" : "; no batch would fit");
  }
  if (network.device == Device::null) {
    return;
  }
  if (const auto accelerator = accelerator_for(network.device)) {
    losses_ = shared_tensor(accelerator, DType::f32, {steps_ahead});
    corrects_ = shared_tensor(accelerator, DType::i32, {steps_ahead});
  }
  executor_->bind(images, data_.images.view()).bind(labels_, data_.labels.view());
  if (targets.valid()) {
    executor_->bind(targets, data_.targets.view());
  }
  if (class_weight_.valid()) {
    executor_->bind(class_weight_, data_.class_weight->view());
  }
}

Value TrainingStep::loss_of(Value logits, Value target) const {
  const CrossEntropyParams params{.label_smoothing = options_.label_smoothing, .multi_target = data_.multi_target};
  return cross_entropy(logits, target, params,
                       class_weight_.valid() ? std::optional<Value>(class_weight_) : std::nullopt);
}

int64_t TrainingStep::most_started() const { return losses_.empty() ? 1 : losses_.size(); }

TrainingStep::Result TrainingStep::run(const std::vector<int32_t>& indices, double learning_rate,
                                       const StepContext& step, std::vector<double>* seconds) {
  start(indices, learning_rate, step, seconds);
  return collect().back();
}

void TrainingStep::start(const std::vector<int32_t>& indices, double learning_rate, const StepContext& step,
                         std::vector<double>* seconds) {
  if (static_cast<int64_t>(started_.size()) >= most_started()) {
    fail("training step: ", started_.size(), " steps were started and not collected");
  }
  auto rate = static_cast<float>(learning_rate);
  executor_->feed(indices_, {const_cast<int32_t*>(indices.data()), DType::i32, {static_cast<int64_t>(indices.size())}});
  executor_->feed(learning_rate_, {&rate, DType::f32, {}});
  // A GPU runs node by node to measure them: now and then will do.
  const bool measures = attacks_ && (losses_.empty() || steps_ % measured_every == 1);
  std::vector<double>* const measured = seconds != nullptr ? seconds : measures ? &seconds_ : nullptr;
  executor_->run(step, measured);
  if (attacks_ && measured != nullptr) {
    measure_attack(*measured);
  }
  Result result{0, 0, attack_share_};
  if (losses_.empty()) {
    result.loss = executor_->scalar<float>(loss_);
    result.correct = executor_->scalar<int32_t>(correct_);
  } else {
    executor_->copy_later(loss_, losses_.data<float>() + started_.size());
    executor_->copy_later(correct_, corrects_.data<int32_t>() + started_.size());
  }
  started_.push_back(result);
  ++steps_;
}

void TrainingStep::measure_attack(const std::vector<double>& seconds) {
  double all = 0, attack = 0;
  for (size_t i = 0; i < seconds.size(); ++i) {
    all += seconds[i];
    attack += plan().nodes()[i].phase == Phase::attack ? seconds[i] : 0;
  }
  attack_share_ = all > 0 ? attack / all : 0;
}

std::vector<TrainingStep::Result> TrainingStep::collect() {
  if (!losses_.empty()) {
    executor_->read(loss_);  // waits
    for (size_t i = 0; i < started_.size(); ++i) {
      started_[i].loss = losses_.data<float>()[i];
      started_[i].correct = corrects_.data<int32_t>()[i];
    }
  }
  return std::exchange(started_, {});
}

}  // namespace fer
