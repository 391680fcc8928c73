// Grad-CAM (Selvaraju et al., 2017): which places of a layer speak for a class.
#pragma once

#include "tensor/tensor.h"

namespace fer {

// activation and its gradient (of the sum of the chosen logits), both f32 [N,H,W,C]:
// relu(sum_c mean_hw(gradient)_c activation_c), f32 [N,H,W,1].
Tensor grad_cam(const Tensor& activation, const Tensor& gradient);

// Each map [N,H,W,1] divided by its own maximum; maps without a positive place stay zero.
Tensor normalised_maps(const Tensor& maps);

}  // namespace fer
