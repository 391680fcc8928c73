// A convolution and its batch-norm in evaluation as one convolution.
#pragma once

#include "tensor/view.h"

namespace fer {

// folded_w = w scale, folded_b = (b - mean) scale + beta with scale = gamma / sqrt(variance + epsilon) for every output
// channel: dimension 0 of dense weights [O,kh,kw,I], the last of depthwise ones [kh,kw,C]. b may be null (zeros).
void fold_batch_norm(double epsilon, View<const float> w, View<const float> b, View<const float> gamma,
                     View<const float> beta, View<const float> mean, View<const float> variance, View<float> folded_w,
                     View<float> folded_b);

}  // namespace fer
