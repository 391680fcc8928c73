// How a pixel attack looks for the pixels to change: by chance, or by differential evolution.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/philox.h"

namespace fer {

// The candidates for one image. Each is `genes` numbers in [0,1]: for every pixel it changes the row and the column (as
// shares of the extent) and the value of each channel.
class PixelSearch {
 public:
  virtual ~PixelSearch() = default;

  // Writes up to `most` candidates to `to`; returns how many, none when the budget is used up.
  virtual int64_t propose(int64_t most, float* to) = 0;

  // The objectives of the candidates proposed last, in their order; lower is better.
  virtual void judge(std::span<const float> objectives) = 0;
};

// Uniform candidates; gene d of candidate c is number c genes + d of `random`.
class RandomSearch : public PixelSearch {
 public:
  RandomSearch(int64_t candidates, int64_t genes, Philox random);

  int64_t propose(int64_t most, float* to) override;
  void judge(std::span<const float>) override {}

 private:
  int64_t candidates_, genes_;
  Philox random_;
  int64_t proposed_ = 0;
};

struct EvolutionOptions {
  int64_t population = 400;
  int64_t generations = 100;  // after the first one, which is drawn
  double recombination = 1;   // probability that a gene comes from the mutant
};

// Differential evolution, best/1/bin (Storn and Price, 1997), the scale factor drawn anew from [0.5, 1) in every
// generation, a whole generation made from the one before it. Genes that leave [0,1] are drawn again. A trial takes the
// place of its parent when it is no worse.
//
// Numbers drawn, P members of D genes: the first generation takes number m D + d for gene d of member m. Generation
// g = 1, 2, … takes from P D + (g - 1)(1 + P (3 + 2 D)) on: one for the scale factor, then 3 + 2 D for each member: two
// for the difference, one for the gene that recombines in any case, D for the others, D for genes that are drawn again.
class DifferentialEvolution : public PixelSearch {
 public:
  DifferentialEvolution(const EvolutionOptions& options, int64_t genes, Philox random);

  int64_t propose(int64_t most, float* to) override;
  void judge(std::span<const float> objectives) override;

  // The last complete generation: [population, genes] and its objectives.
  const std::vector<float>& population() const { return population_; }
  const std::vector<float>& objectives() const { return objectives_; }
  // Complete generations, the first one counted.
  int64_t generations() const { return generations_; }

 private:
  void make_trials();

  EvolutionOptions options_;
  int64_t genes_;
  Philox random_;
  std::vector<float> population_, objectives_, trials_, trial_objectives_;
  int64_t generations_ = 0;
  int64_t proposed_ = 0;  // trials of the generation under way
};

}  // namespace fer
