// Random geometric augmentation: one affine resampling per image.
#pragma once

#include "kernels/context.h"
#include "tensor/host_device.h"
#include "tensor/philox.h"
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

// Does any parameter move pixels, change their brightness; does anything happen at all?
bool changes_geometry(const AugmentParams& params);
bool changes_brightness(const AugmentParams& params);
bool changes_anything(const AugmentParams& params);

// What was drawn for one image. The map takes output to input coordinates, both in pixels from the image's centre:
// (xx u + xy v + x0, yx u + yy v + y0).
struct AugmentDraw {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
  double brightness = 0;
  double contrast = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;  // the erased rectangle, [top, bottom) x [left, right)
};

// Drawn from blocks 4n … 4n + 3 of `random`: the same for an image at place n whatever the batch's size and type.
FER_HOST_DEVICE AugmentDraw draw_augmentation(const AugmentParams& params, const Philox& random, int64_t n,
                                              int64_t height, int64_t width);

// What an erased pixel of image n becomes, in [0,1); `pixels` in an image.
FER_HOST_DEVICE float augmentation_noise(const Philox& random, int64_t n, int64_t pixels, int64_t pixel);

// y [N,H,W,C] from x of the same shape, all channels of an image alike: bilinear resampling (outside the image the
// nearest edge pixel), then contrast and brightness, then erasing (random noise in [0,1)). Overwrites; not in place.
template <class T>
void augment_forward(const AugmentParams& params, const Philox& random, View<const T> x, View<T> y);

}  // namespace fer

#include "kernels/augment_inline.h"
