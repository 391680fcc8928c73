// A network ready to be recorded into graphs and run: how to make it, its weights, and where.
#pragma once

#include <memory>
#include <vector>

#include "autograd/executor.h"
#include "layers/module.h"

namespace fer {

struct Network {
  ModuleFactory make;
  std::shared_ptr<Variables> variables;
  std::shared_ptr<Arena> arena;  // shared by everything that runs this network, one at a time
  Device device = Device::cpu;
  int64_t classes = 0;
  Precision precision = Precision::fp32;

  // For plans of it.
  PlanOptions planned(PlanOptions options = {}) const;
};

// Runs a network in evaluation mode over any number of images of one shape.
class Classifier {
 public:
  // `image` is [H,W,C]; `dtype` u8 or f32 (pixels in [0,1]).
  Classifier(const Network& network, Shape image, DType dtype, int64_t batch);

  // Softmax probabilities [n, classes] of n images [n,H,W,C], or of the rows `indices` of them. `seconds`, when given,
  // receives what Executor::run says of the last batch.
  std::vector<float> probabilities(const Tensor& images, std::vector<double>* seconds = nullptr);
  std::vector<float> probabilities(const Tensor& images, const std::vector<int32_t>& indices,
                                   std::vector<double>* seconds = nullptr);

  const Plan& plan() const { return executor_->plan(); }

 private:
  int64_t batch_;
  int64_t classes_;
  Shape image_;
  DType dtype_;
  Graph graph_;
  Value input_, output_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace fer
