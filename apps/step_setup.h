// A training step on made-up images, for pricing and timing.
#pragma once

#include "apps/common.h"

namespace fer {

struct SteppedNetwork {
  Network network;
  TrainingData data;
  std::unique_ptr<TrainingStep> step;
  std::vector<int32_t> indices;
  ParameterCount parameters;
};

// One batch of random u8 images of the network's own size and channels, `classes` labels.
SteppedNetwork make_step(const TrainOptions& options, int64_t classes, Device device,
                         Precision precision = Precision::fp32, const PlanOptions& plan = {});

}  // namespace fer
