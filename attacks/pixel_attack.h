// The one-pixel attack by random search (paper 000; the idea: Su, Vargas and Sakurai, 2019).
#pragma once

#include <cstdint>
#include <vector>

#include "layers/network.h"

namespace fer {

struct OnePixelOptions {
  int64_t candidates = 100;  // tried at most for each image
  int64_t chunk = 25;        // of them in one run of the network, after which images that fell leave the batch
  int64_t images = 8;        // attacked side by side
  uint64_t seed = 0;
};

struct OnePixelResult {
  Tensor attacked;  // f32 [n,H,W,C]: the best candidate of each image (the image itself if none was better)
  std::vector<uint8_t> success;  // [n] the prediction left the true class
  std::vector<int64_t> queries;  // [n] candidates evaluated
};

// Candidates are (row, column, value of each channel), uniform; the best minimises the probability of the true class.
// An image is finished once its prediction flips (at once, when the network is wrong without help: 0 queries beyond the
// clean one) or its candidates are used up; the next image takes its place. Candidate m of image i depends only on
// (seed, i, m), so neither the batch nor the order of images matters.
class OnePixel {
 public:
  OnePixel(const Network& network, Shape image, const OnePixelOptions& options);

  OnePixelResult attack(const Tensor& images, const Tensor& labels);

  const Plan& plan() const { return executor_->plan(); }

 private:
  OnePixelOptions options_;
  Network network_;
  Shape image_;
  Graph graph_;
  Value images_, pixels_, values_, probabilities_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace fer
