// What augmentation is tried on, on every device.
#pragma once

#include <string>

#include "kernels/augment.h"
#include "tensor/shape.h"

namespace fer::test {

// Calls add(name, shape of the images, parameters) for every case.
template <class Add>
void each_augment_case(Add&& add) {
  const AugmentParams all{.rotation = 20,
                          .shift = 0.2,
                          .zoom = 0.2,
                          .shear = 10,
                          .flip = true,
                          .brightness = 0.2,
                          .contrast = 0.3,
                          .erase = 0.5};
  add("none", Shape{2, 5, 4, 1}, AugmentParams{});
  add("flip", Shape{8, 5, 6, 1}, AugmentParams{.flip = true});
  add("rotation", Shape{4, 9, 9, 1}, AugmentParams{.rotation = 30});
  add("shift", Shape{4, 9, 7, 1}, AugmentParams{.shift = 0.5});
  add("brightness", Shape{4, 9, 7, 1}, AugmentParams{.brightness = 0.5});
  add("contrast", Shape{4, 9, 7, 3}, AugmentParams{.contrast = 0.5});
  add("erase", Shape{8, 9, 7, 2}, AugmentParams{.erase = 1});
  add("all", Shape{16, 12, 11, 1}, all);
  add("all_large", Shape{2, 20, 19, 1}, all);
  add("all_rgb", Shape{5, 13, 12, 3}, all);
  add("all_one_pixel", Shape{3, 1, 1, 1}, all);
  add("all_row", Shape{3, 1, 9, 1}, all);
  add("all_column", Shape{3, 9, 1, 3}, all);
}

}  // namespace fer::test
