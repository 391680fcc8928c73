// Projected gradient descent: what it promises, and that its first step is FGSM.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attacks/fgsm.h"
#include "attacks/pgd.h"
#include "data/dataset.h"
#include "models/saved_model.h"

namespace fer::test {

namespace {

constexpr int64_t image_count = 11;

// An untrained network on small faces, and labels it agrees with.
struct Setting {
  Network network = make_network("mobilenet_v2", {.size = 32}, 1);
  Tensor images = unit_images(synthetic_faces(image_count, 4));
  Shape shape{48, 48, 1};
  Tensor labels = agreed();

  std::vector<float> probabilities(const Tensor& of) {
    return Classifier(network, shape, DType::f32, 4).probabilities(of);
  }

  Tensor agreed() {
    const std::vector<float> rows = probabilities(images);
    Tensor result(DType::i32, {image_count});
    for (int64_t i = 0; i < image_count; ++i) {
      const float* row = rows.data() + i * 7;
      result.data<int32_t>()[i] = static_cast<int32_t>(std::max_element(row, row + 7) - row);
    }
    return result;
  }

  AttackResult run(const PgdOptions& options, int64_t batch = 4) {
    return Pgd(network, shape, options, batch).attack(images, labels);
  }
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.view().data, b.view().data, static_cast<size_t>(a.bytes())) == 0;
}

Tensor rows(const Tensor& tensor, int64_t begin, int64_t number) {
  const int64_t each = tensor.size() / tensor.shape()[0];
  const Shape shape = tensor.shape().with(0, number);
  return tensor.dtype() == DType::f32 ? Tensor::from(shape, tensor.data<float>() + begin * each)
                                      : Tensor::from(shape, tensor.data<int32_t>() + begin * each);
}

}  // namespace

TEST_CASE("pgd: one step of size eps without a random start is fgsm, bit for bit") {
  Setting setting;
  for (const bool targeted : {false, true}) {
    for (const double eps : {0.01, 8.0 / 255, 0.3}) {
      CAPTURE(eps);
      const PgdOptions one{.eps = eps, .step = eps, .steps = 1, .random_start = false, .targeted = targeted};
      const Tensor expected =
          Fgsm(setting.network, setting.shape, {eps}, 4, targeted).attack(setting.images, setting.labels)[0];
      CHECK(same_bits(setting.run(one).attacked, expected));
    }
  }
}

TEST_CASE("pgd: eps 0 gives the images back, and the clean predictions with them") {
  Setting setting;
  const AttackResult result = setting.run({.eps = 0, .restarts = 2});
  CHECK(same_bits(result.attacked, setting.images));
  CHECK(std::count(result.success.begin(), result.success.end(), 0) == image_count);
  CHECK(setting.probabilities(result.attacked) == setting.probabilities(setting.images));
}

TEST_CASE("pgd: stays in the ball and in [0,1], tells the truth, beats fgsm") {
  Setting setting;
  const PgdOptions options{.eps = 0.004, .steps = 7, .restarts = 3, .seed = 5};
  const AttackResult result = setting.run(options);
  double farthest = 0;
  for (int64_t i = 0; i < setting.images.size(); ++i) {
    const auto pixel = static_cast<double>(result.attacked.data<float>()[i]);
    REQUIRE(pixel >= 0);
    REQUIRE(pixel <= 1);
    farthest = std::max(farthest, std::abs(pixel - static_cast<double>(setting.images.data<float>()[i])));
  }
  CHECK(farthest <= options.eps + 1e-7);
  CHECK(farthest >= 0.9 * options.eps);

  const auto after = setting.probabilities(result.attacked);
  const auto fgsm = setting.probabilities(
      Fgsm(setting.network, setting.shape, {options.eps}, 4).attack(setting.images, setting.labels)[0]);
  const auto once = setting.run({.eps = 0.004, .steps = 7, .seed = 5});
  const auto after_once = setting.probabilities(once.attacked);
  int better = 0;
  for (int64_t i = 0; i < image_count; ++i) {
    const auto k = static_cast<size_t>(i);
    const int32_t label = setting.labels.data<int32_t>()[i];
    const auto at = static_cast<size_t>(i * 7 + label);
    CHECK(predicts(after.data() + i * 7, 7, label) != (result.success[k] != 0));
    CHECK(result.queries[k] % options.steps == 0);
    // Restarts go on until an image falls, and keep the best attempt.
    CHECK(result.queries[k] <= options.steps * options.restarts);
    CHECK((result.success[k] != 0 || result.queries[k] == options.steps * options.restarts));
    if (result.success[k] == 0) {
      CHECK(after[at] <= after_once[at] + 1e-6f);
    }
    better += after[at] < fgsm[at] + 1e-6f || result.success[k] != 0;
  }
  CHECK(better >= image_count - 1);
}

TEST_CASE("pgd: targeted steps raise the target") {
  Setting setting;
  for (int32_t& label : setting.labels.as<int32_t>()) {
    label = (label + 3) % 7;
  }
  const AttackResult result = setting.run({.eps = 0.05, .targeted = true});
  const auto before = setting.probabilities(setting.images), after = setting.probabilities(result.attacked);
  for (int64_t i = 0; i < image_count; ++i) {
    const int32_t label = setting.labels.data<int32_t>()[i];
    const auto at = static_cast<size_t>(i * 7 + label);
    CHECK(after[at] > before[at]);
    CHECK(predicts(after.data() + i * 7, 7, label) == (result.success[static_cast<size_t>(i)] != 0));
  }
  CHECK(std::count(result.success.begin(), result.success.end(), 1) > 0);
}

TEST_CASE("pgd: a set attacked in pieces gives the same images, and nothing is allocated anew") {
  Setting setting;
  const PgdOptions options{.eps = 0.01, .steps = 3, .restarts = 2, .seed = 8};
  Pgd pgd(setting.network, setting.shape, options, 4);
  const AttackResult whole = pgd.attack(setting.images, setting.labels);
  const std::byte* arena = setting.network.arena->data();
  const int64_t bytes = setting.network.arena->bytes();
  // Pieces of whole batches, so that the same rows are computed side by side.
  const AttackResult first = pgd.attack(rows(setting.images, 0, 8), rows(setting.labels, 0, 8), 0);
  const AttackResult second = pgd.attack(rows(setting.images, 8, 3), rows(setting.labels, 8, 3), 8);
  CHECK(same_bits(rows(whole.attacked, 0, 8), first.attacked));
  CHECK(same_bits(rows(whole.attacked, 8, 3), second.attacked));
  CHECK(setting.network.arena->data() == arena);
  CHECK(setting.network.arena->bytes() == bytes);
}

TEST_CASE("pgd: options that make no sense are refused") {
  Setting setting;
  CHECK_THROWS_WITH_AS(setting.run({.eps = 2}), doctest::Contains("eps 2"), Error);
  CHECK_THROWS_WITH_AS(setting.run({.steps = 0}), doctest::Contains("at least 1"), Error);
  CHECK_THROWS_WITH_AS(setting.run({.restarts = 2, .random_start = false}), doctest::Contains("random start"), Error);
  setting.labels.data<int32_t>()[2] = 7;
  CHECK_THROWS_WITH_AS(setting.run({}), doctest::Contains("label 7"), Error);
}

}  // namespace fer::test
