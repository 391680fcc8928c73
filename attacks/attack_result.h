// What an attack that judges its own attempts returns.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tensor/tensor.h"

namespace fer {

struct AttackResult {
  Tensor attacked;               // f32 [n,H,W,C]: the best attempt on each image
  std::vector<uint8_t> success;  // [n] the prediction left the label (targeted: reached it)
  std::vector<int64_t> queries;  // [n] forward passes an image took, with or without a gradient
};

// Called with the images finished so far, of how many.
using AttackProgress = std::function<void(int64_t done, int64_t total)>;

// Throws naming `attack` unless images are f32 [n,H,W,C] with [H,W,C] as `image`, and labels i32 [n] in 0 … classes
// - 1.
void check_attack_inputs(const char* attack, const Shape& image, int64_t classes, const Tensor& images,
                         const Tensor& labels);

// Is the largest of `classes` probabilities the label's? The first one wins a tie.
bool predicts(const float* probabilities, int64_t classes, int32_t label);

// The attempt with the lower objective is the better one: the probability of the label, or what is left of 1 when the
// label is the target.
inline float objective(float probability, bool targeted) { return targeted ? 1 - probability : probability; }

}  // namespace fer
