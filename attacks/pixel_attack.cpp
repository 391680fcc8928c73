#include "attacks/pixel_attack.h"

#include <algorithm>

namespace fer {

namespace {

constexpr uint32_t random_stream = 0x0B1;
constexpr uint32_t evolution_stream = 0x0DE;

}  // namespace

// An image under attack.
struct PixelAttack::Victim {
  int64_t image = 0;
  std::unique_ptr<PixelSearch> search;
  float best = 0;             // lowest objective so far
  int64_t generations = 0;    // that were observed
  std::vector<int64_t> rows;  // of the batch that hold its candidates in this run
};

int64_t PixelAttackOptions::budget() const {
  return search == Search::random ? candidates : evolution.population * (1 + evolution.generations);
}

std::string PixelAttackOptions::describe() const {
  return search == Search::random ? "random search, " + std::to_string(candidates) + " candidates"
                                  : "differential evolution, population " + std::to_string(evolution.population) +
                                        ", " + std::to_string(evolution.generations) + " generations";
}

PixelAttackOptions pixel_budget(const std::string& name) {
  PixelAttackOptions options;
  if (name == "paper") {
    return options;
  }
  options.search = PixelAttackOptions::Search::evolution;
  if (name == "art") {
    options.evolution = {.population = 400, .generations = 100};
  } else if (name == "torchattacks") {
    options.evolution = {.population = 10, .generations = 10};
  } else {
    fail("budget '", name, "': must be paper, art or torchattacks");
  }
  return options;
}

PixelAttack::PixelAttack(const Network& network, Shape image, const PixelAttackOptions& options)
    : options_(options),
      image_(image),
      classes_(network.classes),
      genes_(options.pixels * (2 + image[2])),
      judge_(network, image, DType::f32, std::max<int64_t>(1, options.images)) {
  if (options.pixels < 1 || options.pixels > image[0] * image[1] || options.candidates < 1 || options.chunk < 1 ||
      options.images < 1) {
    fail("pixel attack: pixels, candidates, chunk and images must be at least 1 and an image ", image,
         " must have the pixels; they are ", options.pixels, ", ", options.candidates, ", ", options.chunk, ", ",
         options.images);
  }
  make_search(0);  // checks the options of evolution before anything runs
  options_.chunk = std::min(options.chunk, options.budget());
  const int64_t rows = options_.images * options_.chunk;
  images_ = graph_.input("images", DType::f32, {options_.images, image[0], image[1], image[2]});
  pixels_ = graph_.input("pixels", DType::i32, {rows, options.pixels, 2});
  values_ = graph_.input("values", DType::f32, {rows, options.pixels, image[2]});
  const Value candidates = pixel_candidates(images_, pixels_, values_);
  probabilities_ = softmax(network.make(graph_)->forward(candidates, Mode::evaluation));
  if (options_.local && options_.pixels == 1) {
    LocalGraph local = recompute_locally(images_, values_, candidates, probabilities_);
    probabilities_ = local.output;
    places_ = std::move(local.places);
  }
  executor_ = std::make_unique<Executor>(make_plan(graph_, std::vector{probabilities_}, network.planned()),
                                         network.device, network.variables, network.arena);
  staged_ = Tensor(DType::f32, images_.shape());
  staged_pixels_ = Tensor(DType::i32, pixels_.shape());
  staged_values_ = Tensor(DType::f32, values_.shape());
  staged_places_ = Tensor(DType::i32, {rows, 2});
}

std::unique_ptr<PixelSearch> PixelAttack::make_search(int64_t image) const {
  const auto key = static_cast<uint64_t>(image);
  if (options_.search == PixelAttackOptions::Search::random) {
    return std::make_unique<RandomSearch>(options_.candidates, genes_, Philox(options_.seed, random_stream, key));
  }
  return std::make_unique<DifferentialEvolution>(options_.evolution, genes_,
                                                 Philox(options_.seed, evolution_stream, key));
}

// A candidate's genes as pixels and values in row `row` of the batch.
void PixelAttack::stage(int64_t row, const float* genes) {
  const int64_t channels = image_[2];
  const auto place = [](float share, int64_t extent) {
    return static_cast<int32_t>(std::min(static_cast<int64_t>(share * static_cast<float>(extent)), extent - 1));
  };
  for (int64_t p = row * options_.pixels; p < (row + 1) * options_.pixels; ++p, genes += 2 + channels) {
    staged_pixels_.data<int32_t>()[2 * p] = place(genes[0], image_[0]);
    staged_pixels_.data<int32_t>()[2 * p + 1] = place(genes[1], image_[1]);
    std::copy_n(genes + 2, channels, staged_values_.data<float>() + p * channels);
  }
}

AttackResult PixelAttack::attack(const Tensor& images, const Tensor& labels, int64_t first,
                                 const AttackProgress& progress) {
  check_attack_inputs("pixel attack", image_, classes_, images, labels);
  const int64_t count = images.shape()[0], size = image_.size(), channels = image_[2];
  AttackResult result{images.clone(), std::vector<uint8_t>(static_cast<size_t>(count), 0),
                      std::vector<int64_t>(static_cast<size_t>(count), 1)};
  const std::vector<float> clean = judge_.probabilities(images);
  const auto fooled_by = [&](const float* row, int64_t image) {
    return predicts(row, classes_, labels.data<int32_t>()[image]) == options_.targeted;
  };
  const auto objective_of = [&](const float* row, int64_t image) {
    return objective(row[labels.data<int32_t>()[image]], options_.targeted);
  };

  std::vector<Victim> victims;
  int64_t next = 0;
  const auto refill = [&] {
    for (; next < count && static_cast<int64_t>(victims.size()) < options_.images; ++next) {
      const float* row = clean.data() + next * classes_;
      if (fooled_by(row, next)) {
        result.success[static_cast<size_t>(next)] = 1;
      } else {
        victims.push_back({next, make_search(first + next), objective_of(row, next), 0, {}});
      }
    }
  };
  std::vector<float> genes(static_cast<size_t>(options_.images * options_.chunk * genes_));
  std::vector<float> objectives;
  for (refill(); !victims.empty(); refill()) {
    // Every image has one place of `chunk` rows; places that are free go round.
    for (Victim& victim : victims) {
      victim.rows.clear();
    }
    for (int64_t place = 0; place < options_.images; ++place) {
      Victim& victim = victims[static_cast<size_t>(place) % victims.size()];
      std::copy_n(images.data<float>() + victim.image * size, size, staged_.data<float>() + place * size);
      for (int64_t c = 0; c < options_.chunk; ++c) {
        victim.rows.push_back(place * options_.chunk + c);
      }
    }
    for (Victim& victim : victims) {
      victim.rows.resize(
          static_cast<size_t>(victim.search->propose(static_cast<int64_t>(victim.rows.size()), genes.data())));
      for (size_t c = 0; c < victim.rows.size(); ++c) {
        stage(victim.rows[c], genes.data() + static_cast<int64_t>(c) * genes_);
      }
    }
    executor_->feed(images_, staged_.view()).feed(pixels_, staged_pixels_.view()).feed(values_, staged_values_.view());
    for (const WindowPlaces& places : places_) {
      for (int64_t row = 0; row < options_.images * options_.chunk; ++row) {
        const int32_t* const at = staged_pixels_.data<int32_t>() + 2 * row;
        staged_places_.data<int32_t>()[2 * row] = places.rows[static_cast<size_t>(at[0])];
        staged_places_.data<int32_t>()[2 * row + 1] = places.columns[static_cast<size_t>(at[1])];
      }
      executor_->feed(places.input, staged_places_.view());
    }
    executor_->run({});
    const float* probabilities = executor_->read(probabilities_).as<const float>().data;

    for (Victim& victim : victims) {
      const auto k = static_cast<size_t>(victim.image);
      objectives.clear();
      for (int64_t row : victim.rows) {
        const float* scores = probabilities + row * classes_;
        const bool fooled = fooled_by(scores, victim.image);
        objectives.push_back(objective_of(scores, victim.image));
        ++result.queries[k];
        if (fooled || objectives.back() < victim.best) {
          victim.best = objectives.back();
          float* attacked = result.attacked.data<float>() + victim.image * size;
          std::copy_n(images.data<float>() + victim.image * size, size, attacked);
          for (int64_t p = row * options_.pixels; p < (row + 1) * options_.pixels; ++p) {
            const int32_t* at = staged_pixels_.data<int32_t>() + 2 * p;
            std::copy_n(staged_values_.data<float>() + p * channels, channels,
                        attacked + (at[0] * image_[1] + at[1]) * channels);
          }
        }
        if (fooled) {
          result.success[k] = 1;
          break;
        }
      }
      if (result.success[k] != 0) {
        continue;
      }
      victim.search->judge(objectives);
      const auto* evolution = dynamic_cast<const DifferentialEvolution*>(victim.search.get());
      if (options_.observe && evolution != nullptr && evolution->generations() > victim.generations) {
        victim.generations = evolution->generations();
        options_.observe(first + victim.image, *evolution);
      }
    }
    std::erase_if(victims, [&](const Victim& victim) {
      const auto k = static_cast<size_t>(victim.image);
      return result.success[k] != 0 || result.queries[k] > options_.budget();
    });
    if (progress) {
      progress(next - static_cast<int64_t>(victims.size()), count);
    }
  }
  return result;
}

}  // namespace fer
