// One operation as a graph of its own, with the gradients of its inputs, planned and run as any step is: what fer bench
// op and the benchmarks of kernels time.
#pragma once

#include <string>
#include <vector>

#include "autograd/executor.h"

namespace fer {

struct OperationSetting {
  std::string name;          // one of operation_names()
  Shape shape;               // of x: images [N,H,W,C]; rows [N,K] where the operation wants those
  int64_t out_channels = 0;  // of convolutions and linear; 0: as many as x has
  int64_t kernel = 3;        // side of a window
  int64_t stride = 1;
  int64_t padding = -1;  // on all sides; -1: half of the kernel
  int64_t size = 0;      // side of what resampling gives; 0: twice that of x
  bool bias = true;
};

// What can be named: the functions of autograd/ops.h.
std::vector<std::string> operation_names();

// "32x48x48x64". Throws unless it is extents of 1 or more, at most eight.
Shape parse_shape(const std::string& text);

class SingleOperation {
 public:
  // Inputs are random numbers in [-1, 1) and stay what they are. Throws naming the operation where it is not known or
  // does not fit its x.
  SingleOperation(const OperationSetting& setting, Device device, Precision precision = Precision::fp32,
                  uint64_t seed = 0);

  // Forward, then backward; the time of each node as Executor::run gives it.
  void run(std::vector<double>* seconds) { executor_->run({0, step_++}, seconds); }

  const Plan& plan() const { return executor_->plan(); }

 private:
  Graph graph_;
  std::vector<Tensor> elements_;  // of the residents
  std::unique_ptr<Executor> executor_;
  uint64_t step_ = 0;
};

}  // namespace fer
