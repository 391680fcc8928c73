// 1x1 convolutions of what a batch-norm makes, and their weight gradients, on the CPU: pixels are normalised a block at
// a time, which stays in the cache, and nothing of it is stored.
#pragma once

#include "kernels/activation.h"
#include "kernels/pieces.h"
#include "kernels/prepared.h"
#include "tensor/view.h"

namespace fer {

struct NormalisedShape {
  Activation activation = Activation::identity;
  int64_t pixels = 0, inputs = 0, outputs = 0;

  // Whether that saves passes over memory, rather than over a cache, of most of what is moved, and leaves every thread
  // enough to sum.
  bool is_worth_it() const;
};

// x is [pixels, inputs]; gamma, beta, mean and inverse_std as batch_norm_training() was given and left them; w
// [outputs,1,1,inputs]; y [pixels, outputs].
using PreparedNormalisedForward =
    Prepared<void(Pieces<const float> x, View<const float> gamma, View<const float> beta, View<const float> mean,
                  View<const float> inverse_std, View<const float> w, View<float> y, std::byte* workspace)>;
using PreparedNormalisedBackwardWeight =
    Prepared<void(Pieces<const float> x, View<const float> gamma, View<const float> beta, View<const float> mean,
                  View<const float> inverse_std, View<const float> dy, View<float> dw, std::byte* workspace)>;
PreparedNormalisedForward prepare_normalised_forward(const NormalisedShape& shape);
PreparedNormalisedBackwardWeight prepare_normalised_backward_weight(const NormalisedShape& shape);

}  // namespace fer
