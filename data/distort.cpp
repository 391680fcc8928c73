#include "data/distort.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

namespace {

constexpr uint32_t distort_stream = 0xD1570;

float to_float(double value) { return static_cast<float>(value); }

// Amounts of a graded distortion, severity 1 to 5.
constexpr double graded[2][4][distortion_severities] = {
    {{1, 2, 3, 4, 6}, {.08, .12, .18, .26, .38}, {.03, .06, .09, .17, .27}, {.15, .2, .35, .45, .6}},
    {{.4, .6, .7, .8, 1}, {.04, .06, .08, .09, .10}, {.01, .02, .03, .05, .07}, {.06, .1, .12, .16, .2}}};

double amount_of(const Distortion& distortion) {
  return graded[distortion.style == DistortionStyle::cifar_c][static_cast<int>(distortion.kind)]
               [distortion.severity - 1];
}

Tensor blur(const Tensor& images, const Distortion& distortion) {
  if (is_graded(distortion.style)) {
    const double sigma = amount_of(distortion);
    return gaussian_blur(images, 2 * static_cast<int>(4 * sigma + 0.5) + 1, sigma, BlurBorder::repeated);
  }
  return gaussian_blur(images, 7);
}

// 30 to 500 pixels white, then 30 to 500 black.
void set_pixels(RandomSequence& random, float white, const Shape& shape, float* y) {
  for (const float value : {white, 0.0f}) {
    for (uint32_t left = 30 + random.below(471); left > 0; --left) {
      const int64_t row = random.below(static_cast<uint32_t>(shape[1]));
      const int64_t column = random.below(static_cast<uint32_t>(shape[2]));
      std::fill_n(y + (row * shape[2] + column) * shape[3], shape[3], value);
    }
  }
}

void blacken_quadrant(RandomSequence& random, const Shape& shape, float* y) {
  const uint32_t quadrant = random.below(4);
  const int64_t row = quadrant / 2 * (shape[1] / 2), column = quadrant % 2 * (shape[2] / 2);
  for (int64_t r = row; r < row + shape[1] / 2; ++r) {
    std::fill_n(y + (r * shape[2] + column) * shape[3], shape[2] / 2 * shape[3], 0.0f);
  }
}

// Everything but blur, on the pixels y of image `index`. In style cited_255 they are bytes, 0 to 255.
void distort_image(const Distortion& distortion, const Philox& random, const Shape& shape, float* y) {
  const int64_t size = shape[1] * shape[2] * shape[3];
  const DistortionStyle style = distortion.style;
  const bool cited = style == DistortionStyle::cited || style == DistortionStyle::cited_255;
  const bool with_severity = is_graded(style);
  RandomSequence sequence(random);
  const auto each = [&](auto value) {
    for (int64_t i = 0; i < size; ++i) {
      y[i] = value(static_cast<uint64_t>(i), y[i]);
    }
  };
  switch (distortion.kind) {
    case DistortionKind::gaussian_blur:
      break;
    case DistortionKind::gaussian_noise:
      if (with_severity) {
        each([&, sd = to_float(amount_of(distortion))](uint64_t i, float x) { return x + sd * random.normal(i); });
      } else {
        each([&](uint64_t i, float x) { return 0.75f * x + 0.0625f * 2 * random.normal(i); });
      }
      break;
    case DistortionKind::salt_pepper:
      if (with_severity) {
        each([&, amount = to_float(amount_of(distortion))](uint64_t i, float x) {
          return random.uniform(2 * i) >= amount ? x : random.uniform(2 * i + 1) < 0.5f ? 1.0f : 0.0f;
        });
      } else {
        set_pixels(sequence, cited ? 255.0f : 1.0f, shape, y);
      }
      break;
    case DistortionKind::speckle:
      if (cited) {
        each([&](uint64_t i, float x) {
          const auto g = static_cast<uint8_t>(static_cast<int>(random.normal(i)));
          const float sum = x + x * static_cast<float>(g);
          return style == DistortionStyle::cited_255 ? std::fmod(sum, 256.0f) : sum;
        });
      } else {
        const float sd = with_severity ? to_float(amount_of(distortion)) : 1.0f;
        each([&](uint64_t i, float x) { return x + x * sd * random.normal(i); });
      }
      break;
    case DistortionKind::occlusion:
      blacken_quadrant(sequence, shape, y);
  }
}

}  // namespace

Tensor distort(const Tensor& images, const Distortion& distortion, uint64_t seed) {
  const Shape& shape = images.shape();
  if (shape.rank() != 4 || images.dtype() != DType::f32) {
    fail("distort: expects f32 [N,H,W,C], was given ", images.dtype(), shape);
  }
  if (is_graded(distortion.style) ? distortion.severity < 1 || distortion.severity > distortion_severities ||
                                        distortion.kind == DistortionKind::occlusion
                                  : distortion.severity != 0) {
    fail("distort: there is no ", name_of(distortion));
  }
  const bool bytes = distortion.style == DistortionStyle::cited_255;
  const bool clipped = is_graded(distortion.style) || distortion.style == DistortionStyle::clean;
  if (distortion.kind == DistortionKind::gaussian_blur && !bytes) {
    return blur(images, distortion);
  }
  Tensor result = images.clone();
  if (bytes) {
    for (float& pixel : result.as<float>()) {
      pixel = std::round(255 * pixel);
    }
  }
  if (distortion.kind == DistortionKind::gaussian_blur) {
    result = gaussian_blur(result.converted(DType::u8), 7).converted(DType::f32);
  } else {
    const int64_t size = shape[1] * shape[2] * shape[3];
    parallel_for(shape[0], 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const Philox random(seed, distort_stream + static_cast<uint32_t>(distortion.kind), static_cast<uint64_t>(n));
        distort_image(distortion, random, shape, result.data<float>() + n * size);
      }
    });
  }
  if (bytes) {
    for (float& pixel : result.as<float>()) {
      pixel /= 255;
    }
  }
  if (clipped) {
    for (float& pixel : result.as<float>()) {
      pixel = std::clamp(pixel, 0.0f, 1.0f);
    }
  }
  return result;
}

std::vector<int64_t> section_bounds(int64_t count, int64_t parts) {
  std::vector<int64_t> bounds{0};
  for (int64_t part = 0; part < parts; ++part) {
    bounds.push_back(bounds.back() + count / parts + (part < count % parts ? 1 : 0));
  }
  return bounds;
}

}  // namespace fer
