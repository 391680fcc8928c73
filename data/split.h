// Splits into training, validation and test samples, and the duplicates that would leak between them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace fer {

struct Split {
  std::vector<int32_t> train;
  std::vector<int32_t> validation;
  std::vector<int32_t> test;
};

struct SplitOptions {
  std::string kind = "official";  // official | random:F | subject:F, F the share of test samples
  double validation = -1;         // share of the training samples set aside, stratified (by subject with subject:F);
                                  // negative: an official validation part where there is one, else none
  uint64_t seed = 0;
  bool dedup = false;  // remove training samples whose image also stands in validation or test
};

// official: train = Part::train; test = private_test where there is one, else public_test; validation = public_test
// where there is a private_test too. Sets without parts: an error that names random: and subject:.
// random:F is stratified by class; subject:F keeps every subject on one side. Indices ascend.
Split make_split(const Dataset& dataset, const SplitOptions& options);

// At most `limit` of `samples` (0: all), drawn with the seed, in ascending order.
std::vector<int32_t> draw_samples(std::vector<int32_t> samples, int64_t limit, uint64_t seed);

struct Duplicates {
  int64_t groups = 0;              // groups of two or more identical images
  int64_t conflicting_groups = 0;  // of those, groups with more than one label
  int64_t images = 0;              // images in such groups
  std::vector<std::vector<int32_t>> members;
};

// Groups of identical images, by content.
Duplicates find_duplicates(const Dataset& dataset);

// Images whose pixels are all equal.
std::vector<int32_t> flat_images(const Dataset& dataset);

// How many of `test` have an identical image in `train`.
int64_t twins_across(const Duplicates& duplicates, const std::vector<int32_t>& train, const std::vector<int32_t>& test);

}  // namespace fer
