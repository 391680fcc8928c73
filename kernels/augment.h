// Random geometric augmentation: one affine resampling per image.
#pragma once

#include "kernels/context.h"
#include "tensor/view.h"

namespace fer {

struct AugmentParams {
  double rotation = 0;    // degrees, uniform in ±
  double shift = 0;       // share of the side, uniform in ±, each axis
  double zoom = 0;        // scale uniform in 1 ± zoom
  double shear = 0;       // degrees, uniform in ±
  bool flip = false;      // mirror left-right with probability one half
  double brightness = 0;  // added, uniform in ±, on a 0..1 scale; result clamped to [0,1]
  double contrast = 0;    // factor about the image's mean, uniform in 1 ± contrast
  double erase = 0;       // probability of one random rectangle (2% … 20% of the area) set to noise
};

}  // namespace fer
