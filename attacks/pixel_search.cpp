#include "attacks/pixel_search.h"

#include <algorithm>

#include "tensor/error.h"

namespace fer {

RandomSearch::RandomSearch(int64_t candidates, int64_t genes, Philox random)
    : candidates_(candidates), genes_(genes), random_(random) {}

int64_t RandomSearch::propose(int64_t most, float* to) {
  const int64_t count = std::min(most, candidates_ - proposed_);
  for (int64_t i = 0; i < count * genes_; ++i) {
    to[i] = random_.uniform(static_cast<uint64_t>(proposed_ * genes_ + i));
  }
  proposed_ += count;
  return count;
}

DifferentialEvolution::DifferentialEvolution(const EvolutionOptions& options, int64_t genes, Philox random)
    : options_(options), genes_(genes), random_(random) {
  if (options.population < 3 || options.generations < 0) {
    fail("differential evolution: needs a population of at least 3 and 0 or more generations, not ", options.population,
         " and ", options.generations);
  }
  if (!(options.recombination >= 0 && options.recombination <= 1)) {
    fail("differential evolution: recombination ", options.recombination, " is not between 0 and 1");
  }
  trials_.resize(static_cast<size_t>(options.population * genes));
  trial_objectives_.resize(static_cast<size_t>(options.population));
  make_trials();
}

void DifferentialEvolution::make_trials() {
  const int64_t members = options_.population;
  proposed_ = 0;
  if (generations_ == 0) {
    for (size_t i = 0; i < trials_.size(); ++i) {
      trials_[i] = random_.uniform(i);
    }
    return;
  }
  const auto below = [&](int64_t number, int64_t bound) {
    return static_cast<int64_t>(
        (uint64_t{random_.bits(static_cast<uint64_t>(number))} * static_cast<uint64_t>(bound)) >> 32);
  };
  const int64_t per_member = 3 + 2 * genes_;
  const int64_t begin = members * genes_ + (generations_ - 1) * (1 + members * per_member);
  const float factor = 0.5f + 0.5f * random_.uniform(static_cast<uint64_t>(begin));
  const int64_t best = std::min_element(objectives_.begin(), objectives_.end()) - objectives_.begin();
  const auto gene = [&](int64_t member, int64_t d) { return population_[static_cast<size_t>(member * genes_ + d)]; };
  for (int64_t m = 0; m < members; ++m) {
    const int64_t draws = begin + 1 + m * per_member;
    // Two others, different from m and from each other.
    int64_t a = below(draws, members - 1);
    a += a >= m;
    int64_t b = below(draws + 1, members - 2);
    b += b >= std::min(a, m);
    b += b >= std::max(a, m);
    const int64_t forced = below(draws + 2, genes_);
    for (int64_t d = 0; d < genes_; ++d) {
      float value = gene(m, d);
      if (d == forced ||
          static_cast<double>(random_.uniform(static_cast<uint64_t>(draws + 3 + d))) < options_.recombination) {
        const float difference = gene(a, d) - gene(b, d);
        const float scaled = factor * difference;
        value = gene(best, d) + scaled;
        if (!(value >= 0 && value <= 1)) {
          value = random_.uniform(static_cast<uint64_t>(draws + 3 + genes_ + d));
        }
      }
      trials_[static_cast<size_t>(m * genes_ + d)] = value;
    }
  }
}

int64_t DifferentialEvolution::propose(int64_t most, float* to) {
  if (generations_ > options_.generations) {
    return 0;
  }
  const int64_t count = std::min(most, options_.population - proposed_);
  std::copy_n(trials_.begin() + proposed_ * genes_, count * genes_, to);
  proposed_ += count;
  return count;
}

void DifferentialEvolution::judge(std::span<const float> objectives) {
  std::copy(objectives.begin(), objectives.end(),
            trial_objectives_.begin() + proposed_ - static_cast<int64_t>(objectives.size()));
  if (proposed_ < options_.population) {
    return;
  }
  if (generations_ == 0) {
    population_ = trials_;
    objectives_ = trial_objectives_;
  }
  for (size_t m = 0; m < objectives_.size(); ++m) {
    if (trial_objectives_[m] <= objectives_[m]) {
      objectives_[m] = trial_objectives_[m];
      std::copy_n(trials_.begin() + static_cast<int64_t>(m) * genes_, genes_,
                  population_.begin() + static_cast<int64_t>(m) * genes_);
    }
  }
  ++generations_;
  make_trials();
}

}  // namespace fer
