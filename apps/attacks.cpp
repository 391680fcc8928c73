#include "apps/attacks.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <numeric>

#include "analysis/format.h"
#include "attacks/fgsm.h"
#include "attacks/pgd.h"
#include "attacks/pixel_attack.h"
#include "data/hash.h"
#include "train/options.h"

namespace fer {

namespace {

constexpr int64_t batch = 32;

Shape image_shape(const Tensor& images) { return {images.shape()[1], images.shape()[2], images.shape()[3]}; }

std::string plural(int64_t count, const char* thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::vector<PreparedAttack> prepare_fgsm(const AttackOptions& options, const Network& network, const Shape& image) {
  const std::vector<std::string> texts = options.eps.empty() ? std::vector<std::string>{"0.01", "0.03"} : options.eps;
  PreparedAttack prepared;
  std::vector<double> eps;
  for (const std::string& text : texts) {
    eps.push_back(parse_eps(text));
    prepared.descriptions.push_back({.attack = "fgsm", .text = "fgsm eps " + text, .norm = "linf", .eps = eps.back()});
  }
  const bool targeted = !options.target.empty();
  const auto fgsm = std::make_shared<Fgsm>(network, image, eps, batch, targeted);
  const auto judge = std::make_shared<Classifier>(network, image, DType::f32, batch);
  prepared.run = [=, classes = network.classes](const Tensor& images, const Tensor& labels, int64_t,
                                                const AttackProgress&) {
    std::vector<AttackResult> results;
    for (const Tensor& attacked : fgsm->attack(images, labels)) {
      const std::vector<float> rows = judge->probabilities(attacked);
      results.push_back({attacked, {}, {}});
      for (int64_t i = 0; i < attacked.shape()[0]; ++i) {
        results.back().success.push_back(predicts(rows.data() + i * classes, classes, labels.data<int32_t>()[i]) ==
                                         targeted);
        results.back().queries.push_back(1);
      }
    }
    return results;
  };
  return {prepared};
}

std::vector<PreparedAttack> prepare_pgd(const AttackOptions& options, const Network& network, const Shape& image,
                                        uint64_t seed) {
  std::vector<PreparedAttack> all;
  for (const std::string& text : options.eps.empty() ? std::vector<std::string>{"8/255"} : options.eps) {
    for (const int64_t steps : options.steps) {
      PgdOptions pgd;
      pgd.eps = parse_eps(text);
      pgd.steps = steps;
      pgd.step = options.step.empty() ? 0 : parse_eps(options.step);
      pgd.restarts = options.restarts;
      pgd.random_start = options.random_start;
      pgd.targeted = !options.target.empty();
      pgd.seed = seed;
      pgd.check();
      PreparedAttack prepared;
      prepared.descriptions.push_back({.attack = "pgd",
                                       .text = "pgd eps " + text + ", " + plural(steps, "step") + " of " +
                                               format::eps_text(pgd.step_size()) +
                                               (pgd.random_start ? ", random start" : "") +
                                               (pgd.restarts > 1 ? ", " + plural(pgd.restarts, "restart") : ""),
                                       .norm = "linf",
                                       .eps = pgd.eps,
                                       .steps = steps,
                                       .restarts = pgd.restarts});
      const auto attack = std::make_shared<Pgd>(network, image, pgd, batch);
      prepared.run = [attack](const Tensor& images, const Tensor& labels, int64_t first,
                              const AttackProgress& progress) {
        return std::vector{attack->attack(images, labels, first, progress)};
      };
      all.push_back(std::move(prepared));
    }
  }
  return all;
}

std::vector<PreparedAttack> prepare_pixels(const std::string& name, const AttackOptions& options,
                                           const Network& network, const Shape& image, uint64_t seed) {
  PixelAttackOptions pixels = pixel_budget(options.budget);
  using Search = PixelAttackOptions::Search;
  if (!options.search.empty()) {
    if (options.search != "random" && options.search != "evolution") {
      fail("--search '", options.search, "': must be random or evolution");
    }
    pixels.search = options.search == "random" ? Search::random : Search::evolution;
  }
  const bool random = pixels.search == Search::random;
  if (random ? options.population != 0 || options.generations != 0 : options.candidates != 0) {
    fail(random ? "--population and --generations belong to" : "--candidates belongs to", " --search ",
         random ? "evolution" : "random");
  }
  const auto choose = [](const char* option, int64_t given, int64_t& into) {
    if (given < 0) {
      fail(option, " ", given, ": must be at least 1");
    }
    into = given > 0 ? given : into;
  };
  choose("--candidates", options.candidates, pixels.candidates);
  choose("--population", options.population, pixels.evolution.population);
  choose("--generations", options.generations, pixels.evolution.generations);
  pixels.pixels = name == "one-pixel" ? 1 : options.pixels;
  pixels.targeted = !options.target.empty();
  pixels.seed = seed;
  PreparedAttack prepared;
  prepared.descriptions.push_back(
      {.attack = name,
       .text = (name == "one-pixel" ? name : std::to_string(pixels.pixels) + "-pixel") + ", " + pixels.describe(),
       .norm = "l0",
       .pixels = pixels.pixels});
  const auto attack = std::make_shared<PixelAttack>(network, image, pixels);
  prepared.run = [attack](const Tensor& images, const Tensor& labels, int64_t first, const AttackProgress& progress) {
    return std::vector{attack->attack(images, labels, first, progress)};
  };
  return {prepared};
}

}  // namespace

void AttackOptions::add_to(CLI::App& command) {
  command.add_option("--eps", eps, "fgsm, pgd: 0.03 or 8/255, several with commas (fgsm 0.01,0.03; pgd 8/255)")
      ->delimiter(',');
  command.add_option("--steps", steps, "pgd: gradient steps, several with commas")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--step", step, "pgd: size of a step (default: 2.5 eps / steps)");
  command.add_option("--restarts", restarts, "pgd: attempts at an image, the best one counts")->capture_default_str();
  command.add_flag("--random-start,!--no-random-start", random_start, "pgd: begin at random in the ball (default)");
  command.add_option("--pixels", pixels, "k-pixel: pixels changed at most")->capture_default_str();
  command
      .add_option("--budget", budget,
                  "one-pixel, k-pixel: paper (random search, 100 candidates), art (evolution, population 400, 100 "
                  "generations) or torchattacks (evolution, population 10, 10 generations)")
      ->capture_default_str();
  command.add_option("--search", search, "one-pixel, k-pixel: random or evolution (default: the budget's)");
  command.add_option("--candidates", candidates, "random search: tried on an image at most (default: the budget's)");
  command.add_option("--population", population, "evolution: candidates of a generation (default: the budget's)");
  command.add_option("--generations", generations, "evolution: after the first one (default: the budget's)");
  command
      .add_option("--perturb", channels, "auto, grey-tied (one change for all channels) or rgb (each channel apart)")
      ->capture_default_str();
  command.add_option("--target", target, "a class to reach (default: away from the true one)");
}

std::vector<PreparedAttack> prepare_attack(const std::string& name, const AttackOptions& options,
                                           const Network& network, const Shape& image, uint64_t seed) {
  if (name == "fgsm") {
    return prepare_fgsm(options, network, image);
  }
  if (name == "pgd") {
    return prepare_pgd(options, network, image, seed);
  }
  if (name == "one-pixel" || name == "k-pixel") {
    return prepare_pixels(name, options, network, image, seed);
  }
  fail("attack '", name, "': must be fgsm, pgd, one-pixel or k-pixel");
}

double AttackedImages::mean_queries() const {
  return std::accumulate(result.queries.begin(), result.queries.end(), 0.0) /
         static_cast<double>(std::max<size_t>(result.queries.size(), 1));
}

std::vector<AttackedImages> run_attack(const std::string& name, const AttackOptions& options, const Network& network,
                                       const Tensor& images, const Tensor& labels, uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  std::vector<AttackedImages> attacked;
  for (const PreparedAttack& prepared : prepare_attack(name, options, network, image_shape(images), seed)) {
    ProgressBar bar;
    const auto start = Clock::now();
    std::vector<AttackResult> results = prepared.run(images, labels, 0, [&](int64_t done, int64_t total) {
      bar.update(prepared.descriptions.front().text, done, total, "images");
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (size_t i = 0; i < results.size(); ++i) {
      attacked.push_back(
          {prepared.descriptions[i], std::move(results[i]), seconds / static_cast<double>(results.size())});
    }
    bar.clear();
  }
  return attacked;
}

Tensor attackable_images(const Tensor& images, int64_t network_channels, std::string& mode) {
  if (mode != "auto" && mode != "grey-tied" && mode != "rgb") {
    fail("--perturb '", mode, "': must be auto, grey-tied or rgb");
  }
  const int64_t channels = images.shape()[3];
  bool grey = true;
  for (int64_t i = 0; i < images.size() && grey; ++i) {
    grey = images.data<float>()[i] == images.data<float>()[i - i % channels];
  }
  if (mode == "grey-tied" && !grey) {
    fail("--perturb grey-tied: these images are in colour");
  }
  if (mode == "rgb" && network_channels == 1) {
    fail("--perturb rgb: this network sees one channel");
  }
  mode = mode == "auto" ? (grey ? "grey-tied" : "rgb") : mode;
  return with_channels(images, mode == "grey-tied" ? 1 : network_channels);
}

Tensor with_channels(const Tensor& images, int64_t channels) {
  const int64_t from = images.shape()[3];
  if (channels == from) {
    return images;
  }
  if (channels != 1 && from != 1) {
    fail("images of ", from, " channels cannot be shown with ", channels);
  }
  Tensor result(images.dtype(), images.shape().with(3, channels));
  const auto copy = [&](const auto* x, auto* y) {
    for (int64_t i = 0; i < images.size() / from; ++i) {
      std::fill_n(y + i * channels, channels, x[i * from]);
    }
  };
  if (images.dtype() == DType::u8) {
    copy(images.data<uint8_t>(), result.data<uint8_t>());
  } else {
    copy(images.data<float>(), result.data<float>());
  }
  return result;
}

int32_t target_class(const AttackOptions& options, const std::vector<std::string>& classes) {
  if (options.target.empty()) {
    return -1;
  }
  const auto found = std::find(classes.begin(), classes.end(), options.target);
  if (found == classes.end()) {
    fail("--target '", options.target, "' is none of ", comma_list(classes));
  }
  return static_cast<int32_t>(found - classes.begin());
}

Tensor attack_labels(const Tensor& labels, int32_t target) {
  if (target < 0) {
    return labels;
  }
  Tensor all(DType::i32, labels.shape());
  std::fill_n(all.data<int32_t>(), all.size(), target);
  return all;
}

std::vector<int32_t> predictions(const Network& network, const Tensor& images) {
  const std::vector<float> rows = Classifier(network, image_shape(images), images.dtype(), batch).probabilities(images);
  std::vector<int32_t> result;
  for (int64_t i = 0; i < images.shape()[0]; ++i) {
    const float* row = rows.data() + i * network.classes;
    result.push_back(static_cast<int32_t>(std::max_element(row, row + network.classes) - row));
  }
  return result;
}

std::vector<uint8_t> correct_predictions(const Network& network, const Tensor& images, const Tensor& labels) {
  std::vector<uint8_t> correct;
  for (int32_t prediction : predictions(network, images)) {
    correct.push_back(prediction == labels.data<int32_t>()[correct.size()]);
  }
  return correct;
}

std::string weights_digest(const Network& network) {
  Hasher hasher;
  for (const auto& [name, tensor] : network.variables->all()) {
    hasher.add(name.data(), name.size());
    hasher.add(tensor.view().data, static_cast<size_t>(tensor.bytes()));
  }
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << hasher.value();
  return text.str();
}

}  // namespace fer
