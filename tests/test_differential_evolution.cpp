// Differential evolution against an implementation of its own, one candidate after another, population by population.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "attacks/pixel_attack.h"
#include "models/saved_model.h"

namespace fer::test {

namespace {

// best/1/bin as pixel_search.h describes it, written for reading: a list of lists, one draw at a time.
class ScalarEvolution {
 public:
  using Objective = std::function<float(const std::vector<float>&)>;

  ScalarEvolution(int members, int genes, double recombination, Philox random, Objective objective)
      : genes_(genes), recombination_(recombination), random_(random), objective_(std::move(objective)) {
    uint64_t draw = 0;
    for (int m = 0; m < members; ++m) {
      std::vector<float> member;
      for (int d = 0; d < genes; ++d) {
        member.push_back(random_.uniform(draw++));
      }
      population.push_back(member);
      objectives.push_back(objective_(member));
    }
    next_draw_ = draw;
  }

  void evolve() {
    uint64_t draw = next_draw_;
    const float factor = 0.5f + 0.5f * random_.uniform(draw++);
    const size_t best =
        static_cast<size_t>(std::min_element(objectives.begin(), objectives.end()) - objectives.begin());
    std::vector<std::vector<float>> trials;
    for (size_t m = 0; m < population.size(); ++m) {
      std::vector<size_t> others;
      for (size_t i = 0; i < population.size(); ++i) {
        if (i != m) {
          others.push_back(i);
        }
      }
      const size_t a = take(others, draw++), b = take(others, draw++);
      const uint32_t forced =
          static_cast<uint32_t>((uint64_t{random_.bits(draw++)} * static_cast<uint64_t>(genes_)) >> 32);
      std::vector<float> trial = population[m];
      for (int d = 0; d < genes_; ++d) {
        const auto k = static_cast<size_t>(d);
        const float chance = random_.uniform(draw + k);
        if (k != forced && static_cast<double>(chance) >= recombination_) {
          continue;
        }
        trial[k] = population[best][k] + factor * (population[a][k] - population[b][k]);
        if (trial[k] < 0 || trial[k] > 1) {
          trial[k] = random_.uniform(draw + static_cast<uint64_t>(genes_) + k);
        }
      }
      draw += 2 * static_cast<uint64_t>(genes_);
      trials.push_back(trial);
    }
    next_draw_ = draw;
    for (size_t m = 0; m < trials.size(); ++m) {
      const float value = objective_(trials[m]);
      if (value <= objectives[m]) {
        population[m] = trials[m];
        objectives[m] = value;
      }
    }
  }

  std::vector<float> flat() const {
    std::vector<float> all;
    for (const auto& member : population) {
      all.insert(all.end(), member.begin(), member.end());
    }
    return all;
  }

  std::vector<std::vector<float>> population;
  std::vector<float> objectives;

 private:
  size_t take(std::vector<size_t>& from, uint64_t draw) {
    const size_t at = static_cast<size_t>((uint64_t{random_.bits(draw)} * from.size()) >> 32);
    const size_t taken = from[at];
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(at));
    return taken;
  }

  int genes_;
  double recombination_;
  Philox random_;
  Objective objective_;
  uint64_t next_draw_ = 0;
};

float bowl(const float* genes, int count) {
  float sum = 0;
  for (int d = 0; d < count; ++d) {
    const float away = genes[d] - 0.1f * static_cast<float>(d + 3);
    sum += away * away;
  }
  return sum;
}

void check_same_population(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

// Pictures of 8x8 pixels, an untrained network, and the classes it takes them for and takes them for least.
struct Setting {
  Network network = make_network("cnn_1block", {.size = 8}, 6);
  Shape shape{8, 8, 1};
  Tensor images{DType::f32, {6, 8, 8, 1}};
  Tensor labels{DType::i32, {6}}, least{DType::i32, {6}};

  Setting() {
    const Philox random(3, 1);
    for (int64_t i = 0; i < images.size(); ++i) {
      images.data<float>()[i] = random.uniform(static_cast<uint64_t>(i));
    }
    const auto rows = Classifier(network, shape, DType::f32, 6).probabilities(images);
    for (int64_t i = 0; i < 6; ++i) {
      const float* row = rows.data() + 7 * i;
      labels.data<int32_t>()[i] = static_cast<int32_t>(std::max_element(row, row + 7) - row);
      least.data<int32_t>()[i] = static_cast<int32_t>(std::min_element(row, row + 7) - row);
    }
  }
};

}  // namespace

TEST_CASE("differential evolution: equals the scalar one on a bowl, population by population") {
  for (const double recombination : {1.0, 0.6}) {
    CAPTURE(recombination);
    constexpr int members = 9, genes = 5;
    const Philox random(21, 4, 17);
    DifferentialEvolution evolution({.population = members, .generations = 12, .recombination = recombination}, genes,
                                    random);
    ScalarEvolution scalar(members, genes, recombination, random,
                           [](const std::vector<float>& member) { return bowl(member.data(), genes); });
    std::vector<float> candidates(members * genes), objectives;
    int64_t proposed = 0;
    for (int64_t generation = 1;; ++generation) {
      // Two unequal portions a generation: how they are cut must not matter.
      while (evolution.generations() < generation) {
        const int64_t count = evolution.propose(evolution.generations() % 2 == 0 ? 4 : 7, candidates.data());
        if (count == 0) {
          break;
        }
        proposed += count;
        objectives.clear();
        for (int64_t i = 0; i < count; ++i) {
          objectives.push_back(bowl(candidates.data() + i * genes, genes));
        }
        evolution.judge(objectives);
      }
      if (evolution.generations() < generation) {
        break;
      }
      CAPTURE(generation);
      check_same_population(evolution.population(), scalar.flat());
      check_same_population(evolution.objectives(), scalar.objectives);
      scalar.evolve();
    }
    CHECK(proposed == members * 13);
    CHECK(*std::min_element(evolution.objectives().begin(), evolution.objectives().end()) < 0.02f);
  }
}

TEST_CASE("differential evolution: equals the scalar one on a network, all images side by side") {
  Setting setting;
  PixelAttackOptions options;
  options.search = PixelAttackOptions::Search::evolution;
  options.evolution = {.population = 10, .generations = 6};
  options.chunk = 4;
  options.images = 3;
  options.targeted = true;  // towards the least likely class: most images stand to the end
  options.seed = 12;
  std::map<int64_t, std::vector<std::vector<float>>> populations;
  options.observe = [&](int64_t image, const DifferentialEvolution& evolution) {
    populations[image].push_back(evolution.population());
    CHECK(static_cast<int64_t>(populations[image].size()) == evolution.generations());
  };
  const AttackResult result =
      PixelAttack(setting.network, setting.shape, options).attack(setting.images, setting.least);

  Classifier classifier(setting.network, setting.shape, DType::f32, 1);
  int64_t compared = 0;
  for (int64_t image = 0; image < 6; ++image) {
    CAPTURE(image);
    const int32_t label = setting.least.data<int32_t>()[image];
    const auto objective = [&](const std::vector<float>& member) {
      Tensor changed = Tensor::from({1, 8, 8, 1}, setting.images.data<float>() + image * 64);
      const int row = std::min(7, static_cast<int>(member[0] * 8)),
                column = std::min(7, static_cast<int>(member[1] * 8));
      changed.data<float>()[row * 8 + column] = member[2];
      return 1 - classifier.probabilities(changed)[static_cast<size_t>(label)];
    };
    // The stream 0x0DE is the one that pixel_attack.cpp draws evolution from.
    ScalarEvolution scalar(10, 3, 1, Philox(12, 0x0DE, static_cast<uint64_t>(image)), objective);
    for (const std::vector<float>& population : populations[image]) {
      check_same_population(population, scalar.flat());
      scalar.evolve();
      ++compared;
    }
    const bool through = populations[image].size() == 7;
    CHECK((through || result.success[static_cast<size_t>(image)] != 0));
    CHECK((result.success[static_cast<size_t>(image)] != 0 || result.queries[static_cast<size_t>(image)] == 71));
  }
  INFO("populations compared: ", compared);
  CHECK(compared >= 28);
}

TEST_CASE("pixel attack: neither batch nor pieces matter, by chance or by evolution, on one pixel or three") {
  Setting setting;
  for (const auto search : {PixelAttackOptions::Search::random, PixelAttackOptions::Search::evolution}) {
    for (const int64_t pixels : {1, 3}) {
      PixelAttackOptions options;
      options.search = search;
      options.pixels = pixels;
      options.candidates = 40;
      options.evolution = {.population = 8, .generations = 4};
      options.seed = 2;
      options.chunk = 5;
      options.images = 4;
      const AttackResult whole =
          PixelAttack(setting.network, setting.shape, options).attack(setting.images, setting.labels);
      options.chunk = 8;
      options.images = 1;
      PixelAttack other(setting.network, setting.shape, options);
      for (int64_t image = 0; image < 6; ++image) {
        const auto k = static_cast<size_t>(image);
        const AttackResult alone = other.attack(Tensor::from({1, 8, 8, 1}, setting.images.data<float>() + image * 64),
                                                Tensor::from({1}, setting.labels.data<int32_t>() + image), image);
        CHECK(std::memcmp(alone.attacked.data<float>(), whole.attacked.data<float>() + image * 64, 64 * 4) == 0);
        CHECK(alone.queries[0] == whole.queries[k]);
        CHECK(alone.success[0] == whole.success[k]);
        int64_t changed = 0;
        for (int64_t p = image * 64; p < (image + 1) * 64; ++p) {
          changed += setting.images.data<float>()[p] != whole.attacked.data<float>()[p];
        }
        CHECK(changed <= pixels);
      }
    }
  }
}

TEST_CASE("pixel attack: targeted, it raises the target and says when it is reached") {
  Setting setting;
  for (int32_t& label : setting.labels.as<int32_t>()) {
    label = (label + 1) % 7;
  }
  PixelAttackOptions options = pixel_budget("torchattacks");
  CHECK(options.budget() == 110);
  options.pixels = 5;
  options.targeted = true;
  const AttackResult result =
      PixelAttack(setting.network, setting.shape, options).attack(setting.images, setting.labels);
  Classifier classifier(setting.network, setting.shape, DType::f32, 6);
  const auto before = classifier.probabilities(setting.images), after = classifier.probabilities(result.attacked);
  for (int64_t i = 0; i < 6; ++i) {
    const int32_t label = setting.labels.data<int32_t>()[i];
    CHECK(after[static_cast<size_t>(7 * i + label)] >= before[static_cast<size_t>(7 * i + label)]);
    CHECK(predicts(after.data() + 7 * i, 7, label) == (result.success[static_cast<size_t>(i)] != 0));
  }
}

TEST_CASE("pixel attack: budgets by name, and options that make no sense") {
  CHECK(pixel_budget("paper").budget() == 100);
  CHECK(pixel_budget("art").budget() == 40'400);
  CHECK_THROWS_WITH_AS(pixel_budget("lavish"), doctest::Contains("paper, art or torchattacks"), Error);
  Setting setting;
  PixelAttackOptions options;
  options.pixels = 65;
  CHECK_THROWS_WITH_AS(PixelAttack(setting.network, setting.shape, options), doctest::Contains("65"), Error);
  options = pixel_budget("torchattacks");
  options.evolution.population = 2;
  CHECK_THROWS_WITH_AS(PixelAttack(setting.network, setting.shape, options), doctest::Contains("at least 3"), Error);
}

}  // namespace fer::test
