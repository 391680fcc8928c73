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

void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set);

// Throws when the file is a data set but not an adversarial one.
AdversarialSet read_adversarial_set(const std::filesystem::path& path);

}  // namespace fer
