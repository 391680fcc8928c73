#include "apps/attacks.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "attacks/fgsm.h"
#include "attacks/one_pixel.h"
#include "train/options.h"

namespace fer {

namespace {

constexpr int64_t batch = 32;

Shape image_shape(const Tensor& images) { return {images.shape()[1], images.shape()[2], images.shape()[3]}; }

}  // namespace

void AttackOptions::add_to(CLI::App& command) {
  command.add_option("--eps", eps, "FGSM step: 0.03 or 8/255, several with commas")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--candidates", candidates, "one-pixel: candidates tried on an image at most")
      ->capture_default_str();
}

std::vector<AttackedImages> run_attack(const std::string& name, const AttackOptions& options, const Network& network,
                                       const Tensor& images, const Tensor& labels, uint64_t seed) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::vector<AttackedImages> results;
  if (name == "fgsm") {
    std::vector<double> eps;
    for (const std::string& text : options.eps) {
      eps.push_back(parse_eps(text));
    }
    const auto attacked = Fgsm(network, image_shape(images), eps, batch).attack(images, labels);
    for (size_t i = 0; i < eps.size(); ++i) {
      results.push_back({name, "fgsm eps " + options.eps[i], eps[i], attacked[i], 1, 0});
    }
  } else if (name == "one-pixel") {
    OnePixelOptions search;
    search.candidates = options.candidates;
    search.seed = seed;
    const OnePixelResult found = OnePixel(network, image_shape(images), search).attack(images, labels);
    const double queries = std::accumulate(found.queries.begin(), found.queries.end(), 0.0) /
                           static_cast<double>(std::max<size_t>(found.queries.size(), 1));
    results.push_back({name, "one-pixel, random search, " + std::to_string(options.candidates) + " candidates", 0,
                       found.attacked, queries, 0});
  } else {
    fail("attack '", name, "': must be fgsm or one-pixel");
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (AttackedImages& one : results) {
    one.seconds = seconds;
  }
  return results;
}

std::vector<uint8_t> correct_predictions(const Network& network, const Tensor& images, const Tensor& labels) {
  const std::vector<float> probabilities =
      Classifier(network, image_shape(images), DType::f32, batch).probabilities(images);
  std::vector<uint8_t> correct;
  for (int64_t i = 0; i < images.shape()[0]; ++i) {
    const float* row = probabilities.data() + i * network.classes;
    correct.push_back(std::max_element(row, row + network.classes) - row == labels.data<int32_t>()[i]);
  }
  return correct;
}

}  // namespace fer
