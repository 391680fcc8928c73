#include "attacks/pgd.h"

#include <algorithm>
#include <numeric>

#include "tensor/philox.h"

namespace fer {

namespace {

constexpr uint32_t start_stream = 0x96D;

}  // namespace

void PgdOptions::check() const {
  if (!(eps >= 0 && eps <= 1)) {
    fail("pgd: eps ", eps, " is not between 0 and 1 (pixels are in [0,1])");
  }
  if (steps < 1 || restarts < 1 || !(step >= 0)) {
    fail("pgd: steps and restarts must be at least 1 and the step positive, not ", steps, ", ", restarts, ", ", step);
  }
  if (restarts > 1 && !random_start) {
    fail("pgd: ", restarts, " restarts without a random start would all be the same attempt");
  }
}

Value pgd_step(Module& network, Value x, Value origin, Value labels, const PgdOptions& options) {
  const Value loss = cross_entropy(network.forward(x, Mode::evaluation), labels, {.sum = true});
  const Value slope = gradients(loss, std::vector{x})[0];
  return ball_step(x, origin, slope, options.targeted ? -options.step_size() : options.step_size(), options.eps);
}

Value pgd(Module& network, Value x, Value labels, const PgdOptions& options) {
  options.check();
  const Value origin = x;
  if (options.random_start) {
    x = clamp(add(x, random_uniform(x.graph(), x.type(), -options.eps, options.eps)), 0, 1);
  }
  for (int64_t i = 0; i < options.steps; ++i) {
    x = pgd_step(network, x, origin, labels, options);
  }
  return x;
}

Pgd::Pgd(const Network& network, Shape image, const PgdOptions& options, int64_t batch)
    : options_(options),
      image_(image),
      batch_(batch),
      classes_(network.classes),
      judge_(network, image, DType::f32, batch) {
  options_.check();
  const Shape shape{batch, image[0], image[1], image[2]};
  x_ = graph_.input("images", DType::f32, shape);
  origin_ = graph_.input("originals", DType::f32, shape);
  labels_ = graph_.input("labels", DType::i32, {batch});
  next_ = pgd_step(*network.make(graph_), x_, origin_, labels_, options_);
  executor_ = std::make_unique<Executor>(make_plan(graph_, std::vector{next_}, network.planned()), network.device,
                                         network.variables, network.arena);
}

void Pgd::start(const float* origin, int64_t image, int64_t restart, float* to) const {
  const int64_t pixels = image_.size();
  const Philox random(options_.seed, start_stream, static_cast<uint64_t>(image));
  const auto eps = static_cast<float>(options_.eps);
  for (int64_t i = 0; i < pixels; ++i) {
    const float u = random.uniform(static_cast<uint64_t>(restart * pixels + i));
    to[i] = std::clamp(origin[i] + eps * (2 * u - 1), 0.0f, 1.0f);
  }
}

AttackResult Pgd::attack(const Tensor& images, const Tensor& labels, int64_t first, const AttackProgress& progress) {
  check_attack_inputs("pgd", image_, classes_, images, labels);
  const int64_t count = images.shape()[0], pixels = image_.size();
  AttackResult result{images.clone(), std::vector<uint8_t>(static_cast<size_t>(count), 0),
                      std::vector<int64_t>(static_cast<size_t>(count), 0)};
  std::vector<float> best(static_cast<size_t>(count), 2);  // above any objective
  std::vector<int64_t> standing(static_cast<size_t>(count));
  std::iota(standing.begin(), standing.end(), 0);
  Tensor origin(DType::f32, x_.shape()), attempt(DType::f32, x_.shape()), staged_labels(DType::i32, {batch_});

  for (int64_t restart = 0; restart < options_.restarts && !standing.empty(); ++restart) {
    for (size_t begin = 0; begin < standing.size(); begin += static_cast<size_t>(batch_)) {
      const auto taken = std::min<int64_t>(batch_, static_cast<int64_t>(standing.size() - begin));
      for (int64_t i = 0; i < taken; ++i) {
        const int64_t image = standing[begin + static_cast<size_t>(i)];
        float* from = origin.data<float>() + i * pixels;
        float* to = attempt.data<float>() + i * pixels;
        std::copy_n(images.data<float>() + image * pixels, pixels, from);
        if (options_.random_start) {
          start(from, first + image, restart, to);
        } else {
          std::copy_n(from, pixels, to);
        }
        staged_labels.data<int32_t>()[i] = labels.data<int32_t>()[image];
      }
      AnyView x = attempt.view();
      for (int64_t step = 0; step < options_.steps; ++step) {
        executor_->feed(x_, x).feed(origin_, origin.view()).feed(labels_, staged_labels.view()).run({});
        x = executor_->read(next_);
      }
      std::copy_n(x.as<const float>().data, attempt.size(), attempt.data<float>());
      const std::vector<float> rows = judge_.probabilities(attempt);
      for (int64_t i = 0; i < taken; ++i) {
        const int64_t image = standing[begin + static_cast<size_t>(i)];
        const auto k = static_cast<size_t>(image);
        const float* row = rows.data() + i * classes_;
        const int32_t label = labels.data<int32_t>()[image];
        const bool fooled = predicts(row, classes_, label) == options_.targeted;
        result.queries[k] += options_.steps;
        if (fooled || objective(row[label], options_.targeted) < best[k]) {
          best[k] = objective(row[label], options_.targeted);
          result.success[k] = fooled;
          std::copy_n(attempt.data<float>() + i * pixels, pixels, result.attacked.data<float>() + image * pixels);
        }
      }
      if (progress) {
        progress(count - static_cast<int64_t>(standing.size() - begin) + taken, count);
      }
    }
    std::erase_if(standing, [&](int64_t image) { return result.success[static_cast<size_t>(image)] != 0; });
  }
  return result;
}

}  // namespace fer
