// The fast gradient sign method (Goodfellow et al., 2015).
#pragma once

#include <vector>

#include "layers/network.h"

namespace fer {

// Attacks images of one shape in evaluation mode: clip(x + eps sign(d CE / d x), 0, 1) for every eps, from one backward
// pass. A grey image that the network replicates to three channels has one perturbation for all of them (grey-tied).
class Fgsm {
 public:
  // `image` is [H,W,C]. With `targeted` labels are the wanted classes and the step goes downhill.
  Fgsm(const Network& network, Shape image, std::vector<double> eps, int64_t batch, bool targeted = false);

  // images f32 [n,H,W,C] in [0,1], labels i32 [n]: one attacked tensor like `images` for each eps.
  std::vector<Tensor> attack(const Tensor& images, const Tensor& labels);

  const Plan& plan() const { return executor_->plan(); }

 private:
  int64_t batch_;
  Graph graph_;
  Value images_, labels_;
  std::vector<Value> attacked_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace fer
