#include "train/trainer.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <sstream>

#include "data/adversarial_set.h"
#include "tensor/file.h"

namespace fer {

namespace {

constexpr uint32_t order_stream = 0xDA7A;   // of the Philox numbers that shuffle the epochs
constexpr uint32_t label_stream = 0x1ABE1;  // of those that draw labels
constexpr int64_t evaluation_batch = 64;

// Rows of `a` and then rows of `b`, as u8 when both are, else as f32 in [0,1].
Tensor joined_images(const Tensor& a, const std::vector<int32_t>& rows_a, const Tensor& b,
                     const std::vector<int32_t>& rows_b) {
  const DType dtype = a.dtype() == DType::u8 && b.dtype() == DType::u8 ? DType::u8 : DType::f32;
  Tensor result(dtype, a.shape().with(0, static_cast<int64_t>(rows_a.size() + rows_b.size())));
  const int64_t pixels = a.size() / a.shape()[0];
  int64_t at = 0;
  const auto append = [&](const Tensor& from, const std::vector<int32_t>& rows) {
    for (int32_t row : rows) {
      for (int64_t i = 0; i < pixels; ++i, ++at) {
        if (dtype == DType::u8) {
          result.data<uint8_t>()[at] = from.data<uint8_t>()[row * pixels + i];
        } else {
          result.data<float>()[at] = from.dtype() == DType::u8
                                         ? static_cast<float>(from.data<uint8_t>()[row * pixels + i]) / 255.0f
                                         : from.data<float>()[row * pixels + i];
        }
      }
    }
  };
  append(a, rows_a);
  append(b, rows_b);
  return result;
}

Tensor class_weights(const std::vector<int32_t>& samples, const Tensor& labels, int64_t classes) {
  std::vector<double> counts(static_cast<size_t>(classes), 0);
  for (int32_t sample : samples) {
    ++counts[static_cast<size_t>(labels.data<int32_t>()[sample])];
  }
  Tensor weights(DType::f32, {classes});
  for (int64_t k = 0; k < classes; ++k) {
    const double count = std::max(counts[static_cast<size_t>(k)], 1.0);
    weights.data<float>()[k] =
        static_cast<float>(static_cast<double>(samples.size()) / (static_cast<double>(classes) * count));
  }
  return weights;
}

// A number, or a word where there is none.
nlohmann::json or_unavailable(const std::optional<double>& number) {
  return number ? nlohmann::json(*number) : nlohmann::json("unavailable");
}

std::optional<double> if_available(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

// What a killed process left of files it was writing (see AtomicFile).
void remove_unfinished_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> unfinished;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().front() == '.' && entry.path().extension() == ".tmp") {
      unfinished.push_back(entry.path());
    }
  }
  for (const auto& path : unfinished) {
    std::filesystem::remove(path);
  }
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, Network network, std::string head,
                 std::map<std::string, std::string> metadata, const Dataset& dataset, const Split& split,
                 std::filesystem::path run)
    : options_(options),
      network_(std::move(network)),
      head_(std::move(head)),
      metadata_(std::move(metadata)),
      run_(std::move(run)),
      schedule_(options.schedule, options.lr, 1),
      energy_(energy_sources(network_.device)) {
  options_.check();
  assemble(dataset, split);
  if (options_.batch > training_samples()) {
    fail("--batch ", options_.batch, " is larger than the training set (", training_samples(), " images)");
  }
  if (validation_.empty() && (options_.early_stopping > 0 || options_.schedule == "plateau")) {
    fail("--early-stopping and --schedule plateau need validation images; add --validation 0.15");
  }
  const int64_t batches = training_samples() / options_.batch;
  schedule_ = Schedule(options_.schedule, options_.lr, batches * options_.epochs);
  step_ = make_step(frozen(0), network_.device);
  if (options_.unfreeze_after > 0 && options_.memory_limit > 0) {
    make_step(false, Device::null);  // throws now, not in mid-training, when the whole network's step is too large
  }
  if (!validation_.empty()) {
    const Shape& shape = validation_images_.shape();
    validator_ = std::make_unique<Classifier>(network_, Shape{shape[1], shape[2], shape[3]}, validation_images_.dtype(),
                                              std::min<int64_t>(evaluation_batch, options_.batch), Weights::change);
  }
  std::error_code reason;
  std::filesystem::create_directories(run_, reason);
  if (reason) {
    fail("run folder: cannot make ", run_.string(), ": ", reason.message(), "; give a folder that can be written to");
  }
  remove_unfinished_files(run_);
}

bool Trainer::frozen(int64_t epoch) const {
  return options_.freeze == "backbone" && (options_.unfreeze_after == 0 || epoch < options_.unfreeze_after);
}

std::unique_ptr<TrainingStep> Trainer::make_step(bool frozen, Device device) const {
  TrainOptions options = options_;
  options.freeze = frozen ? "backbone" : "none";
  Network network = network_;
  network.device = device;
  return std::make_unique<TrainingStep>(options, network, head_, data_, network_.planned());
}

// The whole network trains from here on, with a new optimizer: the backbone's moments begin with the others, so that
// the correction of their bias holds for all.
void Trainer::unfreeze() {
  step_.reset();
  step_ = make_step(false, network_.device);
  for (const auto& [name, tensor] : network_.variables->all()) {
    if (is_optimizer_state(name)) {
      std::memset(tensor.view().data, 0, static_cast<size_t>(tensor.bytes()));
    }
  }
}

// Batches that batch-norms have taken their running statistics from.
int64_t Trainer::batches_tracked() const {
  if (options_.freeze == "none") {
    return state_.step;
  }
  const int64_t frozen_steps = options_.unfreeze_after * (training_samples() / options_.batch);
  return options_.unfreeze_after == 0 ? 0 : std::max<int64_t>(0, state_.step - frozen_steps);
}

void Trainer::assemble(const Dataset& dataset, const Split& split) {
  data_.images = dataset.images;
  data_.labels = dataset.labels;
  data_.targets = dataset.targets;
  data_.multi_target = dataset.multi_target;
  samples_ = split.train;
  validation_images_ = dataset.images;
  validation_ = split.validation;
  for (int32_t sample : validation_) {
    validation_labels_.push_back(dataset.labels.data<int32_t>()[sample]);
  }

  add_stored_images(dataset, split);
  const auto mode = dataset.metadata.find("ferplus_mode");
  if (mode != dataset.metadata.end() && mode->second == "probability") {
    label_odds_ = data_.targets;
    data_.targets = Tensor();
    data_.labels = data_.labels.clone();
  }
  if (options_.class_weights) {
    data_.class_weight = class_weights(samples_, data_.labels, network_.classes);
  }
}

// --adversarial stored: the training images, then attacked versions of them.
void Trainer::add_stored_images(const Dataset& dataset, const Split& split) {
  const AdversarialTraining adversarial = parse_adversarial(options_.adversarial);
  if (adversarial.kind != AdversarialTraining::Kind::stored) {
    return;
  }
  // Only images made from training images may be learned from, whatever the file holds.
  const AdversarialSet stored = read_adversarial_set(adversarial.file);
  const auto source = stored.dataset.metadata.find("source_digest");
  if (source == stored.dataset.metadata.end() || source->second != digest(dataset)) {
    fail("--adversarial: ", adversarial.file, " was made from other data than ", options_.data);
  }
  if (stored.dataset.images.shape().with(0, 0) != dataset.images.shape().with(0, 0)) {
    fail("--adversarial: images of ", adversarial.file, " are ", stored.dataset.images.shape(), ", those of ",
         options_.data, " ", dataset.images.shape());
  }
  std::vector<bool> in_training(static_cast<size_t>(dataset.size()), false);
  for (int32_t sample : split.train) {
    in_training[static_cast<size_t>(sample)] = true;
  }
  std::vector<int32_t> rows;
  for (size_t i = 0; i < stored.source.size(); ++i) {
    const int32_t origin = stored.source[i];
    if (origin < 0 || origin >= dataset.size()) {
      fail("--adversarial: ", adversarial.file, ": image ", i, " says it was made from image ", origin, " of ",
           dataset.size());
    }
    if (in_training[static_cast<size_t>(origin)] && stored.attacks[i] != "original") {
      rows.push_back(static_cast<int32_t>(i));
    }
  }
  if (rows.empty()) {
    fail("--adversarial: ", adversarial.file, " holds no attacked version of a training image");
  }
  if (adversarial.ratio > 0) {
    const auto train = static_cast<double>(split.train.size()), most = static_cast<double>(rows.size());
    const double wanted = std::max(1.0, std::round(train * adversarial.ratio / (1 - adversarial.ratio)));
    if (wanted > most) {
      fail("--adversarial: a ratio of ", adversarial.ratio, " beside ", train, " training images takes ", wanted,
           " attacked ones; ", adversarial.file, " holds ", most, ", enough for ", most / (most + train));
    }
    rows = draw_samples(std::move(rows), static_cast<int64_t>(wanted), options_.seed);
  }
  std::vector<int32_t> sources = split.train;
  for (int32_t row : rows) {
    sources.push_back(stored.source[static_cast<size_t>(row)]);
  }
  data_.images = joined_images(dataset.images, split.train, stored.dataset.images, rows);
  const Dataset chosen = select(dataset, sources);
  data_.labels = chosen.labels;
  data_.targets = chosen.targets;
  samples_.resize(sources.size());
  std::iota(samples_.begin(), samples_.end(), 0);
  stored_ = stored.dataset.metadata;
  stored_["images_used"] = std::to_string(rows.size());
}

// FER+'s probability mode: every epoch draws each image's label from its taggers' votes.
void Trainer::draw_labels(int64_t epoch) {
  if (label_odds_.empty()) {
    return;
  }
  const Philox random(options_.seed, label_stream, static_cast<uint64_t>(epoch));
  const int64_t classes = network_.classes;
  for (int32_t sample : samples_) {
    const float* odds = label_odds_.data<float>() + sample * classes;
    float left = random.uniform(static_cast<uint64_t>(sample));
    int32_t label = 0;
    while (label + 1 < classes && left >= odds[label]) {
      left -= odds[label++];
    }
    data_.labels.data<int32_t>()[sample] = label;
  }
  step_->labels_changed();
}

std::vector<int32_t> Trainer::order_of(int64_t epoch) const {
  std::vector<int32_t> order = samples_;
  RandomSequence random(Philox(options_.seed, order_stream, static_cast<uint64_t>(epoch)));
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  }
  return order;
}

void Trainer::save_best() const {
  write_safetensors(run_ / "best.safetensors",
                    weight_file(*network_.variables, metadata_, {.batches_tracked = batches_tracked()}));
}

void Trainer::save_last() const {
  TensorFile file =
      weight_file(*network_.variables, metadata_, {.optimizer = true, .batches_tracked = batches_tracked()});
  file.metadata["trainer"] = nlohmann::json{{"epoch", state_.epoch},
                                            {"batch", state_.batch},
                                            {"step", state_.step},
                                            {"loss_sum", state_.loss_sum},
                                            {"seconds", state_.seconds},
                                            {"attack_seconds", state_.attack_seconds},
                                            {"host_joules", or_unavailable(state_.host_joules)},
                                            {"device_joules", or_unavailable(state_.device_joules)},
                                            {"correct", state_.correct},
                                            {"best_loss", state_.best_loss},
                                            {"epochs_since_best", state_.epochs_since_best},
                                            {"schedule_factor", schedule_.state.factor},
                                            {"schedule_best", schedule_.state.best},
                                            {"schedule_bad_epochs", schedule_.state.bad_epochs}}
                                 .dump();
  write_safetensors(run_ / "last.safetensors", file);
}

void Trainer::resume() {
  const std::filesystem::path path = run_ / "last.safetensors";
  if (!std::filesystem::exists(path)) {
    return;  // killed before the first checkpoint: all is done again
  }
  const TensorFile file = read_safetensors(path);
  const auto model = file.metadata.find("model");
  if (model == file.metadata.end() || model->second != metadata_.at("model")) {
    fail("--resume: ", path.string(), " is a checkpoint of ", model == file.metadata.end() ? "no model" : model->second,
         ", not of ", metadata_.at("model"));
  }
  if (file.metadata.count("trainer") == 0) {
    fail("--resume: ", path.string(), " holds weights alone; a checkpoint to resume from is needed");
  }
  try {
    const auto trainer = nlohmann::json::parse(file.metadata.at("trainer"));
    trainer.at("epoch").get_to(state_.epoch);
    if (frozen(0) && !frozen(state_.epoch)) {
      unfreeze();
    }
    restore_variables(file, *network_.variables);
    trainer.at("batch").get_to(state_.batch);
    trainer.at("step").get_to(state_.step);
    trainer.at("loss_sum").get_to(state_.loss_sum);
    trainer.at("seconds").get_to(state_.seconds);
    trainer.at("attack_seconds").get_to(state_.attack_seconds);
    state_.host_joules = if_available(trainer, "host_joules");
    state_.device_joules = if_available(trainer, "device_joules");
    trainer.at("correct").get_to(state_.correct);
    trainer.at("best_loss").get_to(state_.best_loss);
    trainer.at("epochs_since_best").get_to(state_.epochs_since_best);
    trainer.at("schedule_factor").get_to(schedule_.state.factor);
    trainer.at("schedule_best").get_to(schedule_.state.best);
    trainer.at("schedule_bad_epochs").get_to(schedule_.state.bad_epochs);
  } catch (const std::exception& error) {
    fail("--resume: ", path.string(), " does not fit run.json: ", error.what());
  }

  // Lines of epochs after the checkpoint belong to work that was lost and is done again.
  log_.clear();
  std::istringstream lines(state_.epoch > 0 ? read_file(run_ / "log.jsonl") : "");
  std::string line;
  while (static_cast<int64_t>(log_.size()) < state_.epoch && std::getline(lines, line)) {
    log_.push_back(nlohmann::json::parse(line));
  }
}

void Trainer::append_log(const nlohmann::json& record) {
  log_.push_back(record);
  std::string text;
  for (const nlohmann::json& line : log_) {
    text += line.dump() + "\n";
  }
  write_file(run_ / "log.jsonl", text);
}

void Trainer::count_energy() {
  const Energy used = energy_.lap();
  accumulate(state_.host_joules, used.host);
  accumulate(state_.device_joules, used.device);
}

nlohmann::json Trainer::finish_epoch() {
  const int64_t batches = training_samples() / options_.batch;
  const auto images = static_cast<double>(batches * options_.batch);
  nlohmann::json record = {{"epoch", state_.epoch + 1},
                           {"train_loss", state_.loss_sum / static_cast<double>(batches)},
                           {"train_accuracy", static_cast<double>(state_.correct) / images},
                           {"learning_rate", schedule_.rate(state_.step - 1)},
                           {"seconds", state_.seconds},
                           {"images_per_second", images / std::max(state_.seconds, 1e-9)},
                           {"host_joules", or_unavailable(state_.host_joules)},
                           {"planned_peak_bytes", plan().peak_bytes() + plan().variable_bytes()}};
  if (network_.device == Device::cuda) {
    record["device_joules"] = or_unavailable(state_.device_joules);
  }
  if (parse_adversarial(options_.adversarial).kind == AdversarialTraining::Kind::fly) {
    record["attack_seconds"] = state_.attack_seconds;  // of `seconds`
  }
  bool best = true;
  if (validator_) {
    const std::vector<float> probabilities = validator_->probabilities(validation_images_, validation_);
    const auto classes = static_cast<size_t>(network_.classes);
    double loss = 0;
    int64_t correct = 0;
    for (size_t i = 0; i < validation_.size(); ++i) {
      const float* row = probabilities.data() + i * classes;
      const auto label = static_cast<size_t>(validation_labels_[i]);
      loss -= std::log(std::max(static_cast<double>(row[label]), 1e-30));
      correct += static_cast<size_t>(std::max_element(row, row + classes) - row) == label;
    }
    loss /= static_cast<double>(validation_.size());
    record["validation_loss"] = loss;
    record["validation_accuracy"] = static_cast<double>(correct) / static_cast<double>(validation_.size());
    schedule_.observe(loss);
    best = loss < state_.best_loss;
    state_.best_loss = std::min(loss, state_.best_loss);
    state_.epochs_since_best = best ? 0 : state_.epochs_since_best + 1;
  }
  record["peak_rss_bytes"] = peak_resident_bytes();
  ++state_.epoch;
  state_.batch = state_.correct = 0;
  state_.loss_sum = state_.seconds = state_.attack_seconds = 0;
  state_.host_joules = state_.device_joules = 0.0;
  append_log(record);
  if (best) {
    save_best();
  }
  if (state_.epoch < options_.epochs && frozen(state_.epoch - 1) && !frozen(state_.epoch)) {
    unfreeze();  // before the checkpoint, which then holds the moments that the next epoch needs
  }
  save_last();
  return record;
}

Trainer::Outcome Trainer::train(const std::function<void(const Progress&)>& report, const std::atomic<bool>& stop) {
  using Clock = std::chrono::steady_clock;
  const int64_t batches = training_samples() / options_.batch;
  const auto begun = Clock::now();
  const int64_t first_step = state_.step;
  std::vector<int32_t> indices(static_cast<size_t>(options_.batch));
  while (state_.epoch < options_.epochs) {
    if (options_.early_stopping > 0 && state_.epochs_since_best >= options_.early_stopping) {
      return Outcome::stopped_early;
    }
    const std::vector<int32_t> order = order_of(state_.epoch);
    draw_labels(state_.epoch);
    Progress progress;
    progress.epoch = state_.epoch + 1;
    progress.epochs = options_.epochs;
    progress.batches = batches;
    energy_.lap();  // what was used between the epochs is not the steps'
    auto counted = Clock::now();
    while (state_.batch < batches) {
      if (stop) {
        count_energy();
        save_last();
        return Outcome::interrupted;
      }
      const auto start = Clock::now();
      const int64_t ahead = std::min(step_->most_started(), batches - state_.batch);
      for (int64_t i = 0; i < ahead; ++i) {
        std::copy_n(order.begin() + (state_.batch + i) * options_.batch, options_.batch, indices.begin());
        step_->start(indices, schedule_.rate(state_.step + i), {options_.seed, static_cast<uint64_t>(state_.step + i)});
      }
      double attack_share = 0;
      for (const TrainingStep::Result& result : step_->collect()) {
        if (!std::isfinite(result.loss)) {
          fail("training: the loss is ", result.loss, " in epoch ", state_.epoch + 1, ", batch ", state_.batch + 1,
               " (learning rate ", schedule_.rate(state_.step), "); the last checkpoint is intact; try a smaller --lr");
        }
        state_.loss_sum += result.loss;
        state_.correct += result.correct;
        attack_share += result.attack_share / static_cast<double>(ahead);
        ++state_.batch;
        ++state_.step;
      }
      const auto now = Clock::now();
      const double seconds = std::chrono::duration<double>(now - start).count();
      state_.seconds += seconds;
      state_.attack_seconds += attack_share * seconds;
      if (now - counted > std::chrono::seconds(1)) {  // the counters are files: not after every step
        count_energy();
        counted = now;
      }
      const double per_step =
          std::chrono::duration<double>(now - begun).count() / static_cast<double>(state_.step - first_step);
      progress.batch = state_.batch;
      progress.loss = state_.loss_sum / static_cast<double>(state_.batch);
      progress.accuracy = static_cast<double>(state_.correct) / static_cast<double>(state_.batch * options_.batch);
      progress.images_per_second = static_cast<double>(state_.batch * options_.batch) / state_.seconds;
      progress.seconds_left = per_step * static_cast<double>(batches * options_.epochs - state_.step);
      if (state_.batch < batches) {
        report(progress);
      }
    }
    count_energy();
    const nlohmann::json record = finish_epoch();
    progress.record = &record;
    report(progress);
  }
  return Outcome::finished;
}

}  // namespace fer
