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

// Whether a network's weights change while something that runs it lives. Of those that stay kernels keep a form of
// their own, which takes memory.
enum class Weights { change, stay };

// Runs a network in evaluation mode over any number of images of one shape. On the CPU each thread runs all of it over
// images of its own: no thread waits for another, or reads what another one wrote.
class Classifier {
 public:
  // `image` is [H,W,C]; `dtype` u8 or f32 (pixels in [0,1]). `batch`: images at a time, of all threads.
  Classifier(const Network& network, Shape image, DType dtype, int64_t batch, Weights weights = Weights::stay);

  // Softmax probabilities [n, classes] of n images [n,H,W,C], or of the rows `indices` of them. `seconds`, when given,
  // receives what Executor::run says of the last batch, of the thread that took longest.
  std::vector<float> probabilities(const Tensor& images, std::vector<double>* seconds = nullptr);
  std::vector<float> probabilities(const Tensor& images, const std::vector<int32_t>& indices,
                                   std::vector<double>* seconds = nullptr);

  // Of each of the parts() that a batch is cut into.
  const Plan& plan() const { return parts_[0]->plan(); }
  int64_t parts() const { return static_cast<int64_t>(parts_.size()); }

 private:
  // Of the rows begin … end - 1 of `indices`.
  void run_part(Executor& part, const Tensor& images, const std::vector<int32_t>& indices, int64_t begin, int64_t end,
                float* probabilities, std::vector<double>* seconds) const;

  int64_t classes_;
  Shape image_;
  DType dtype_;
  Graph graph_;
  Value input_, output_;
  std::vector<std::unique_ptr<Executor>> parts_;
  bool keeps_weights_ = false;  // they have been made ready
};

}  // namespace fer
