// Attacks: what they promise whatever the network.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attacks/fgsm.h"
#include "attacks/pixel_attack.h"
#include "data/dataset.h"
#include "models/saved_model.h"

namespace fer::test {

namespace {

// An untrained network: wrong about most faces and easy to move, which is all these checks need.
struct Setting {
  Network network = make_network("mobilenet_v2", {.size = 32}, 1);
  Dataset faces = synthetic_faces(23, 4);
  Tensor images = unit_images(faces);
  Shape shape{48, 48, 1};

  // Labels the network agrees with, so that there is something to lose.
  Tensor agreed() {
    Classifier classifier(network, shape, DType::f32, 8);
    const std::vector<float> rows = classifier.probabilities(images);
    Tensor labels(DType::i32, {faces.size()});
    for (int64_t i = 0; i < faces.size(); ++i) {
      const float* row = rows.data() + i * 7;
      labels.data<int32_t>()[i] = static_cast<int32_t>(std::max_element(row, row + 7) - row);
    }
    return labels;
  }
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.view().data, b.view().data, static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace

TEST_CASE("attacks: fgsm with eps 0 gives the images back; others stay in their ball and in [0,1]") {
  Setting setting;
  const std::vector<double> eps = {0, 0.01, 8.0 / 255};
  const auto attacked = Fgsm(setting.network, setting.shape, eps, 8).attack(setting.images, setting.faces.labels);
  CHECK(same_bits(attacked[0], setting.images));
  for (size_t e = 0; e < eps.size(); ++e) {
    double farthest = 0;
    for (int64_t i = 0; i < setting.images.size(); ++i) {
      const auto pixel = static_cast<double>(attacked[e].data<float>()[i]);
      REQUIRE(pixel >= 0);
      REQUIRE(pixel <= 1);
      farthest = std::max(farthest, std::abs(pixel - static_cast<double>(setting.images.data<float>()[i])));
    }
    CHECK(farthest <= eps[e] + 1e-7);
    CHECK(farthest >= 0.9 * eps[e]);
  }
}

TEST_CASE("attacks: fgsm does not depend on the batch, and fooling is one-sided") {
  Setting setting;
  const Tensor labels = setting.agreed();
  const auto small = Fgsm(setting.network, setting.shape, {0.03}, 5).attack(setting.images, labels)[0];
  const auto large = Fgsm(setting.network, setting.shape, {0.03}, 23).attack(setting.images, labels)[0];
  int64_t different = 0;
  for (int64_t i = 0; i < small.size(); ++i) {
    different += small.data<float>()[i] != large.data<float>()[i];
  }
  // The sign of a slope that rounds to about zero may depend on the order of sums.
  CHECK(different <= small.size() / 1000);

  // One step away from the label lowers its probability, one towards it raises it, for nearly every face.
  const auto towards = Fgsm(setting.network, setting.shape, {0.003}, 8, true).attack(setting.images, labels)[0];
  const auto away = Fgsm(setting.network, setting.shape, {0.003}, 8).attack(setting.images, labels)[0];
  Classifier classifier(setting.network, setting.shape, DType::f32, 8);
  const auto before = classifier.probabilities(setting.images);
  const auto after_away = classifier.probabilities(away), after_towards = classifier.probabilities(towards);
  int lowered = 0, raised = 0;
  for (int64_t i = 0; i < setting.faces.size(); ++i) {
    const auto at = static_cast<size_t>(i * 7 + labels.data<int32_t>()[i]);
    lowered += after_away[at] < before[at];
    raised += after_towards[at] > before[at];
  }
  CHECK(lowered >= 21);
  CHECK(raised >= 21);
}

TEST_CASE("attacks: one-pixel changes at most one pixel, tells the truth, and does not depend on the batch") {
  Setting setting;
  const Tensor labels = setting.agreed();
  PixelAttackOptions options;
  options.candidates = 30;
  options.chunk = 7;
  options.images = 4;
  options.seed = 9;
  const AttackResult found = PixelAttack(setting.network, setting.shape, options).attack(setting.images, labels);
  Classifier classifier(setting.network, setting.shape, DType::f32, 28);
  const auto before = classifier.probabilities(setting.images), after = classifier.probabilities(found.attacked);
  for (int64_t i = 0; i < setting.faces.size(); ++i) {
    const int64_t pixels = setting.shape.size();
    int64_t changed = 0;
    for (int64_t p = i * pixels; p < (i + 1) * pixels; ++p) {
      changed += setting.images.data<float>()[p] != found.attacked.data<float>()[p];
    }
    CHECK(changed <= 1);
    const int32_t label = labels.data<int32_t>()[i];
    const float* row = after.data() + i * 7;
    const bool fooled = std::max_element(row, row + 7) - row != label;
    CHECK(fooled == (found.success[static_cast<size_t>(i)] != 0));
    CHECK(found.queries[static_cast<size_t>(i)] <= options.candidates + 1);
    if (!fooled) {
      CHECK(found.queries[static_cast<size_t>(i)] == options.candidates + 1);
      CHECK(after[static_cast<size_t>(i * 7 + label)] <= before[static_cast<size_t>(i * 7 + label)] + 1e-6f);
    }
  }
  options.images = 3;
  options.chunk = 10;
  const AttackResult again = PixelAttack(setting.network, setting.shape, options).attack(setting.images, labels);
  CHECK(same_bits(found.attacked, again.attacked));
  CHECK(found.queries == again.queries);
}

TEST_CASE("attacks: an image the network gets wrong is not searched") {
  Setting setting;
  Tensor wrong = setting.agreed().clone();
  for (int32_t& label : wrong.as<int32_t>()) {
    label = (label + 1) % 7;
  }
  const AttackResult found = PixelAttack(setting.network, setting.shape, {}).attack(setting.images, wrong);
  CHECK(same_bits(found.attacked, setting.images));
  CHECK(std::all_of(found.success.begin(), found.success.end(), [](uint8_t one) { return one == 1; }));
  CHECK(std::all_of(found.queries.begin(), found.queries.end(), [](int64_t one) { return one == 1; }));
}

TEST_CASE("attacks: images of another shape are refused") {
  Setting setting;
  Fgsm fgsm(setting.network, {32, 32, 1}, {0.1}, 8);
  CHECK_THROWS_WITH_AS(fgsm.attack(setting.images, setting.faces.labels), doctest::Contains("[8,32,32,1]"), Error);
}

}  // namespace fer::test
