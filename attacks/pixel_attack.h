// The one-pixel attack and its extension to k pixels (Su, Vargas and Sakurai, 2019; paper 000 by random search).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attacks/attack_result.h"
#include "attacks/pixel_search.h"
#include "attacks/pixel_windows.h"
#include "layers/network.h"

namespace fer {

struct PixelAttackOptions {
  int64_t pixels = 1;  // changed at most in an image
  enum class Search { random, evolution } search = Search::random;
  int64_t candidates = 100;    // random search: tried at most for each image
  EvolutionOptions evolution;  // differential evolution: population x (1 + generations) at most
  int64_t chunk = 25;          // candidates of an image in one run of the network, after which finished images leave
  int64_t images = 8;          // attacked side by side
  bool targeted = false;       // labels are the wanted classes
  bool local = true;           // one pixel: the first layers only where it reaches (see pixel_windows.h)
  uint64_t seed = 0;

  // Called for an image whenever a generation of its evolution is complete.
  std::function<void(int64_t image, const DifferentialEvolution&)> observe;

  // The most candidates an image can take.
  int64_t budget() const;
  // "random search, 100 candidates"
  std::string describe() const;
};

// The budgets that are named in publications:
//   paper         random search, 100 candidates (paper 000 gives no number)
//   art           differential evolution, population 400, 100 generations (also Su et al.'s own)
//   torchattacks  differential evolution, population 10, 10 generations
// Throws naming all of them.
PixelAttackOptions pixel_budget(const std::string& name);

// Candidates are (row, column, value of each channel) for each pixel. The best one minimises the probability of the
// true class (targeted: maximises that of the target). An image is finished once its prediction flips (at once, when
// the network is wrong without help: 1 query) or its budget is used up; the next image takes its place, and at the end
// the images that are left share all places. Candidates of image i depend only on (seed, first + i) and the network:
// neither the batch nor the order of images matters, and a set attacked in pieces, or again, gives the same result.
class PixelAttack {
 public:
  PixelAttack(const Network& network, Shape image, const PixelAttackOptions& options);

  // images f32 [n,H,W,C] in [0,1], labels i32 [n]; they are images first … first + n - 1 of a larger set. The attempt
  // kept is the first that fooled the network, else the best one, else the image itself.
  AttackResult attack(const Tensor& images, const Tensor& labels, int64_t first = 0,
                      const AttackProgress& progress = {});

  const Plan& plan() const { return executor_->plan(); }

 private:
  struct Victim;

  std::unique_ptr<PixelSearch> make_search(int64_t image) const;
  void stage(int64_t row, const float* genes);

  PixelAttackOptions options_;
  Shape image_;
  int64_t classes_, genes_;
  Graph graph_;
  Value images_, pixels_, values_, probabilities_;
  std::vector<WindowPlaces> places_;
  std::unique_ptr<Executor> executor_;
  Classifier judge_;
  Tensor staged_, staged_pixels_, staged_values_, staged_places_;
};

}  // namespace fer
