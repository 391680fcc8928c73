// Stored adversarial examples: a data set in which every image knows which image it was made from, and how.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace fer {

struct AdversarialSet {
  Dataset dataset;                   // f32 or u8 images; metadata: attack, eps, seed, model digest, source digest, …
  std::vector<int32_t> source;       // [n] index of the original in the source data set
  std::vector<std::string> attacks;  // [n] "original", "fgsm eps 0.03", "one-pixel"
};

// A .safetensors file, or any other path: class folders of PNG files (u8 images only) with adversarial.json beside
// them, which holds everything else.
void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set);

// Reads either form back, images in the order they were written. Throws when it is a data set but not an adversarial
// one, or when files are missing.
AdversarialSet read_adversarial_set(const std::filesystem::path& path);

// f32 images [N,H,W,C] in [0,1] as u8: the lattice point k / 255 nearest to each pixel that is no farther than eps from
// the original's. eps 0 stands for no ball (pixel attacks). Throws where no lattice point lies in the ball.
Tensor to_lattice(const Tensor& attacked, const Tensor& originals, double eps);

}  // namespace fer
