// Distortions of pictures: paper 004's five, and the graded ones of the field's benchmarks. All of them are drawn from
// a seed, image by image.
#pragma once

#include <string>
#include <vector>

#include "data/gaussian_blur.h"
#include "tensor/tensor.h"

namespace fer {

enum class DistortionKind { gaussian_blur, gaussian_noise, salt_pepper, speckle, occlusion };

// How the five are done.
//   cited       as paper 004's cited snippets have them, on floats from 0 to 1; pixels may leave that range:
//               blur 7x7 (sigma 1.4); 0.75 x + 0.0625 g with g of variance 4; 30 to 500 pixels set to 255 (not 1), then
//               30 to 500 to 0, with replacement; x + x g with g of variance 1 cast to a byte, so that 0 <= |g| < 1
//               changes nothing and -1 becomes 255; one quadrant black
//   cited_255   the same on bytes from 0 to 255 (sums modulo 256), given back divided by 255
//   clean       the same arithmetic on floats from 0 to 1 without the slips, clipped: white is 1, g stays a float
//   imagenet_c, cifar_c   the severities 1 to 5 of ImageNet-C and CIFAR-C (Hendrycks and Dietterich, 2019), clipped;
//               without occlusion
enum class DistortionStyle { cited, cited_255, clean, imagenet_c, cifar_c };

constexpr int distortion_kinds = 5;
constexpr int distortion_severities = 5;

// Has the style severities?
inline bool is_graded(DistortionStyle style) {
  return style == DistortionStyle::imagenet_c || style == DistortionStyle::cifar_c;
}

struct Distortion {
  DistortionKind kind = DistortionKind::gaussian_blur;
  DistortionStyle style = DistortionStyle::clean;
  int severity = 0;  // 1 to 5 for imagenet_c and cifar_c, else 0
};

// "cited/speckle", "imagenet-c/gaussian-blur:3"
std::string name_of(const Distortion& distortion);
std::string name_of(DistortionKind kind);
std::string name_of(DistortionStyle style);

// One entry of a list: STYLE (all its kinds, all severities), STYLE:S, STYLE/KIND or STYLE/KIND:S; a KIND alone is of
// style clean. Throws naming what is known.
std::vector<Distortion> parse_distortion(const std::string& text);

// Distorts f32 images [N,H,W,C] in [0,1]. What is drawn for image i depends only on (seed, kind, i).
Tensor distort(const Tensor& images, const Distortion& distortion, uint64_t seed);

// `count` samples in `parts` contiguous sections as equal as can be, the larger ones first: the first sample of each,
// and `count` at the end.
std::vector<int64_t> section_bounds(int64_t count, int64_t parts);

}  // namespace fer
