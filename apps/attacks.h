// The attacks by name, as eval, attack and explain run them.
#pragma once

#include <memory>

#include "analysis/metrics.h"
#include "apps/common.h"
#include "attacks/attack_result.h"

namespace fer {

struct AttackOptions {
  std::vector<std::string> eps;  // empty: 0.01 and 0.03 for fgsm, 8/255 for pgd
  std::vector<int64_t> steps = {10};
  std::string step;  // empty: 2.5 eps / steps
  int64_t restarts = 1;
  bool random_start = true;
  int64_t pixels = 3;                                       // of k-pixel
  std::string budget = "paper", search;                     // search empty: the budget's
  int64_t candidates = 0, population = 0, generations = 0;  // 0: the budget's
  std::string channels = "auto";                            // auto, grey-tied or rgb
  std::string target;                                       // class to reach; empty: away from the true one

  void add_to(CLI::App& command);
};

// What was done to a set of images, in the words of a robust-accuracy report.
struct AttackDescription {
  std::string attack;  // "fgsm", "pgd", "one-pixel", "k-pixel"
  std::string text;    // "fgsm eps 0.03"
  std::string norm;    // "linf", "l0"
  double eps = 0;      // 0 for pixel attacks
  int64_t steps = 1, restarts = 1;
  int64_t pixels = 0;  // changed at most; 0: all
};

// An attack ready to run: one gradient of fgsm serves every eps, so there may be several results.
struct PreparedAttack {
  std::vector<AttackDescription> descriptions;
  // Images first … of a larger set; one result for each description.
  std::function<std::vector<AttackResult>(const Tensor& images, const Tensor& labels, int64_t first,
                                          const AttackProgress& progress)>
      run;
};

// Attacks `name` on images [H,W,C], one for each combination of the options. Throws naming what is known.
std::vector<PreparedAttack> prepare_attack(const std::string& name, const AttackOptions& options,
                                           const Network& network, const Shape& image, uint64_t seed);

// One attacked version of the given images.
struct AttackedImages {
  AttackDescription description;
  AttackResult result;
  double seconds = 0;

  double mean_queries() const;
};

// Prepares and runs, with progress on standard error.
std::vector<AttackedImages> run_attack(const std::string& name, const AttackOptions& options, const Network& network,
                                       const Tensor& images, const Tensor& labels, uint64_t seed);

// The images in the form they are attacked in. grey-tied: one channel, which the network replicates, so that one
// perturbation serves all its channels; rgb: as many channels as the network has, each perturbed apart. auto is
// grey-tied for grey images, also where they are stored with three equal channels. `mode` becomes grey-tied or rgb.
Tensor attackable_images(const Tensor& images, int64_t network_channels, std::string& mode);

// Grey images with `channels` equal channels, or back to one.
Tensor with_channels(const Tensor& images, int64_t channels);

// The class that --target names, or -1. Throws naming the classes.
int32_t target_class(const AttackOptions& options, const std::vector<std::string>& classes);

// The labels an attack is given: the target for all, where there is one.
Tensor attack_labels(const Tensor& labels, int32_t target);

// Class of every image (u8, or f32 in [0,1]).
std::vector<int32_t> predictions(const Network& network, const Tensor& images);

// 1 where the network's prediction is the label.
std::vector<uint8_t> correct_predictions(const Network& network, const Tensor& images, const Tensor& labels);

// A hash of the names and elements of a network's weights in hexadecimal.
std::string weights_digest(const Network& network);

}  // namespace fer
