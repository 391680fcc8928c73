// Projected gradient descent (Madry et al., 2018) in the maximum norm.
#pragma once

#include <memory>

#include "attacks/attack_result.h"
#include "layers/network.h"

namespace fer {

struct PgdOptions {
  double eps = 8.0 / 255;
  double step = 0;  // 0: 2.5 eps / steps, which is 2/255 at the defaults
  int64_t steps = 10;
  int64_t restarts = 1;  // attempts at an image; one that fell is left alone
  bool random_start = true;
  bool targeted = false;  // labels are the wanted classes, and the steps go downhill
  uint64_t seed = 0;

  double step_size() const { return step > 0 ? step : 2.5 * eps / static_cast<double>(steps); }

  // Throws naming the option and what would be right.
  void check() const;
};

// Records one step: x + step sign(d CE / d x), back into the ball around `origin`, clipped to [0,1]. `labels` i32 [N].
Value pgd_step(Module& network, Value x, Value origin, Value labels, const PgdOptions& options);

// Records a whole attack on x: the random start, then every step. For training; its draws follow the step's seed.
Value pgd(Module& network, Value x, Value labels, const PgdOptions& options);

// Attacks any number of images of one shape in evaluation mode, `batch` at a time. A grey image that the network
// replicates to three channels has one perturbation for all of them.
class Pgd {
 public:
  Pgd(const Network& network, Shape image, const PgdOptions& options, int64_t batch);

  // images f32 [n,H,W,C] in [0,1], labels i32 [n]; they are images first … first + n - 1 of a larger set. Image i's
  // start depends only on (seed, first + i, restart): a set attacked in pieces, or again, gives the same result.
  // The attempt kept is one that fooled the network, or else that with the best objective.
  AttackResult attack(const Tensor& images, const Tensor& labels, int64_t first = 0,
                      const AttackProgress& progress = {});

  const Plan& plan() const { return executor_->plan(); }

 private:
  void start(const float* origin, int64_t image, int64_t restart, float* to) const;

  PgdOptions options_;
  Shape image_;
  int64_t batch_, classes_;
  Graph graph_;
  Value x_, origin_, labels_, next_;
  std::unique_ptr<Executor> executor_;
  Classifier judge_;
};

}  // namespace fer
