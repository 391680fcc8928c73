// The attacks by name, as eval and attack run them.
#pragma once

#include "analysis/metrics.h"
#include "apps/common.h"

namespace fer {

struct AttackOptions {
  std::vector<std::string> eps = {"0.01", "0.03"};
  int64_t candidates = 100;

  void add_to(CLI::App& command);
};

// One attacked version of the given images.
struct AttackedImages {
  std::string attack;       // "fgsm", "one-pixel"
  std::string description;  // "fgsm eps 0.03"
  double eps = 0;           // 0 for one-pixel
  Tensor images;            // f32 [n,H,W,C]
  double queries = 0;       // mean per image
  double seconds = 0;
};

// Runs attack `name` ("fgsm": one result for each eps from one backward pass; "one-pixel") on images f32 in [0,1].
std::vector<AttackedImages> run_attack(const std::string& name, const AttackOptions& options, const Network& network,
                                       const Tensor& images, const Tensor& labels, uint64_t seed);

// 1 where the network's prediction is the label.
std::vector<uint8_t> correct_predictions(const Network& network, const Tensor& images, const Tensor& labels);

}  // namespace fer
