// Bodies of what both devices ask and draw for an image.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/augment.h"

namespace fer {

inline bool changes_geometry(const AugmentParams& params) {
  return params.rotation != 0 || params.shift != 0 || params.zoom != 0 || params.shear != 0 || params.flip;
}

inline bool changes_brightness(const AugmentParams& params) { return params.brightness != 0 || params.contrast != 0; }

inline bool changes_anything(const AugmentParams& params) {
  return changes_geometry(params) || changes_brightness(params) || params.erase != 0;
}

FER_HOST_DEVICE inline AugmentDraw draw_augmentation(const AugmentParams& params, const Philox& random, int64_t n,
                                                     int64_t height, int64_t width) {
  double uniform[16];
  for (uint64_t block = 0; block < 4; ++block) {
    const auto bits = random.block(4 * static_cast<uint64_t>(n) + block);
    for (size_t i = 0; i < 4; ++i) {
      uniform[4 * block + i] = static_cast<double>(Philox::to_uniform(bits[i]));
    }
  }
  const auto about = [&](int number, double centre, double spread) {
    return centre + spread * (2 * uniform[number] - 1);
  };
  const double h = static_cast<double>(height), w = static_cast<double>(width);
  const double angle = about(0, 0, params.rotation) * std::numbers::pi / 180;
  const double slant = std::tan(about(1, 0, params.shear) * std::numbers::pi / 180);
  const double scale = about(2, 1, params.zoom);
  const double mirror = params.flip && uniform[5] < 0.5 ? -1 : 1;

  AugmentDraw draw;  // mirror, then shear, then rotation, then zoom and shift
  draw.xx = mirror * std::cos(angle) / scale;
  draw.xy = (slant * std::cos(angle) - std::sin(angle)) / scale;
  draw.yx = mirror * std::sin(angle) / scale;
  draw.yy = (slant * std::sin(angle) + std::cos(angle)) / scale;
  draw.x0 = about(3, 0, params.shift) * w;
  draw.y0 = about(4, 0, params.shift) * h;
  draw.brightness = about(6, 0, params.brightness);
  draw.contrast = about(7, 1, params.contrast);

  if (uniform[8] < params.erase) {  // Zhong et al., "Random erasing data augmentation", 2020: area, then aspect ratio
    const double area = (0.02 + 0.18 * uniform[9]) * h * w;
    const double aspect = std::exp((2 * uniform[10] - 1) * std::log(1 / 0.3));
    const auto side = [](double length, int64_t limit) { return std::clamp<int64_t>(std::llround(length), 1, limit); };
    const int64_t rows = side(std::sqrt(area * aspect), height), columns = side(std::sqrt(area / aspect), width);
    draw.top = static_cast<int64_t>(uniform[11] * static_cast<double>(height - rows + 1));
    draw.left = static_cast<int64_t>(uniform[12] * static_cast<double>(width - columns + 1));
    draw.bottom = draw.top + rows;
    draw.right = draw.left + columns;
  }
  return draw;
}

FER_HOST_DEVICE inline float augmentation_noise(const Philox& random, int64_t n, int64_t pixels, int64_t pixel) {
  // Noise is numbered from here on, far above the blocks that the draws use.
  constexpr uint64_t first_noise_block = uint64_t{1} << 48;
  const uint64_t block = first_noise_block + static_cast<uint64_t>(n * pixels / 4 + n + pixel / 4);
  return Philox::to_uniform(random.block(block)[static_cast<size_t>(pixel % 4)]);
}

}  // namespace fer
