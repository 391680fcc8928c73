// A training step and the loop around it: the same bits whatever the plan, the same bits again, learning at all.
#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "models/saved_model.h"
#include "tests/temporary_folder.h"
#include "train/trainer.h"

namespace fer::test {

namespace {

TrainingData small_data(int64_t count, int64_t size, int64_t channels) {
  TrainingData data;
  data.images = Tensor(DType::u8, {count, size, size, channels});
  data.labels = Tensor(DType::i32, {count});
  RandomSequence random(Philox(11, 0));
  for (uint8_t& pixel : data.images.as<uint8_t>()) {
    pixel = static_cast<uint8_t>(random.below(256));
  }
  for (int64_t i = 0; i < count; ++i) {
    data.labels.data<int32_t>()[i] = static_cast<int32_t>(i % 7);
  }
  return data;
}

struct Trained {
  std::shared_ptr<Variables> variables;
  std::vector<double> losses;
};

Trained steps(const std::string& model, const PlanOptions& plan, int count, const std::string& adversarial = "none") {
  TrainOptions options;
  options.batch = 8;
  options.augment = "strong";
  options.adversarial = adversarial;
  options.label_smoothing = 0.1;
  const Network network = make_network(model, {.size = 32}, 3);
  TrainingStep step(options, network, find_model(model).head, small_data(8, 32, 1), plan);
  std::vector<int32_t> indices(8);
  std::iota(indices.begin(), indices.end(), 0);
  Trained result{network.variables, {}};
  for (int i = 0; i < count; ++i) {
    result.losses.push_back(step.run(indices, 1e-3, {5, static_cast<uint64_t>(i)}).loss);
  }
  return result;
}

void check_equal(const Variables& a, const Variables& b) {
  REQUIRE(a.all().size() == b.all().size());
  for (const auto& [name, tensor] : a.all()) {
    INFO(name);
    CHECK(std::memcmp(tensor.view().data, b.at(name).view().data, static_cast<size_t>(tensor.bytes())) == 0);
  }
}

}  // namespace

TEST_CASE("training: a planned step equals an unshared one bit for bit") {
  for (const char* model : {"cnn_2block", "mobilenet_v2", "se_separable"}) {
    for (const char* adversarial : {"none", "fly:fgsm,eps=0.03"}) {
      CAPTURE(model);
      CAPTURE(adversarial);
      PlanOptions unshared;
      unshared.share = false;
      const Trained planned = steps(model, {}, 3, adversarial), alone = steps(model, unshared, 3, adversarial);
      CHECK(planned.losses == alone.losses);
      check_equal(*planned.variables, *alone.variables);
    }
  }
}

TEST_CASE("training: on pgd, planned as unshared; one step of it without a start is fgsm to the bit") {
  const std::string pgd = "fly:pgd,eps=0.03,steps=2,ratio=0.7";
  PlanOptions unshared;
  unshared.share = false;
  const Trained planned = steps("se_separable", {}, 2, pgd), alone = steps("se_separable", unshared, 2, pgd);
  CHECK(planned.losses == alone.losses);
  check_equal(*planned.variables, *alone.variables);

  const Trained fgsm = steps("se_separable", {}, 2, "fly:fgsm,eps=0.03");
  const Trained one = steps("se_separable", {}, 2, "fly:pgd,eps=0.03,steps=1,step=0.03,start=none");
  CHECK(fgsm.losses == one.losses);
  check_equal(*fgsm.variables, *one.variables);
  CHECK(fgsm.losses != planned.losses);
}

TEST_CASE("training: what --adversarial says") {
  using Kind = AdversarialTraining::Kind;
  CHECK(parse_adversarial("none").kind == Kind::none);
  const AdversarialTraining stored = parse_adversarial("stored:a b/set.safetensors,ratio=0.25");
  CHECK(stored.kind == Kind::stored);
  CHECK(stored.file == "a b/set.safetensors");
  CHECK(stored.ratio == 0.25);
  CHECK(parse_adversarial("stored:set.safetensors").ratio < 0);
  const AdversarialTraining fgsm = parse_adversarial("fly:fgsm,eps=8/255");
  CHECK(fgsm.attack.steps == 1);
  CHECK(fgsm.attack.step == fgsm.attack.eps);
  CHECK(!fgsm.attack.random_start);
  CHECK(fgsm.ratio == 0.5);
  const AdversarialTraining pgd = parse_adversarial("fly:pgd,eps=0.03,steps=7,step=0.01,ratio=0.4");
  CHECK(pgd.attack.eps == 0.03);
  CHECK(pgd.attack.steps == 7);
  CHECK(pgd.attack.step == 0.01);
  CHECK(pgd.attack.random_start);
  CHECK(pgd.ratio == 0.4);
  CHECK(parse_adversarial("fly:pgd,eps=8/255").attack.step_size() == doctest::Approx(2.0 / 255));
  for (const char* wrong : {"fly", "fly:fgsm", "fly:fgsm,eps=0", "fly:fgsm,eps=0.1,steps=3", "fly:pgd,eps=0.1,steps=0",
                            "fly:pgd,eps=0.1,start=late", "stored:", "stored:a,eps=0.1", "stored:a,ratio=1"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_adversarial(wrong), Error);
  }
}

TEST_CASE("training: fused and unfused steps agree") {
  for (const char* model : {"cnn_2block", "mobilenet_v2", "se_separable"}) {
    CAPTURE(model);
    PlanOptions unfused;
    unfused.fuse = false;
    const Trained fused = steps(model, {}, 1), plain = steps(model, unfused, 1);
    CHECK(fused.losses[0] == doctest::Approx(plain.losses[0]).epsilon(1e-5));
  }
}

TEST_CASE("training: one seed gives the same bits again") {
  const Trained first = steps("mobilenet_v2", {}, 2), second = steps("mobilenet_v2", {}, 2);
  CHECK(first.losses == second.losses);
  check_equal(*first.variables, *second.variables);
}

TEST_CASE("training: every network learns eight images by heart") {
  for (const char* model : {"cnn_2block", "mobilenet_v2", "se_separable"}) {
    CAPTURE(model);
    TrainOptions options;
    options.batch = 8;
    options.augment = "none";
    const Network network = make_network(model, {.size = 32, .dropout = 0}, 3);
    TrainingStep step(options, network, find_model(model).head, small_data(8, 32, 1));
    std::vector<int32_t> indices(8);
    std::iota(indices.begin(), indices.end(), 0);
    TrainingStep::Result result;
    for (int i = 0; i < 40; ++i) {
      result = step.run(indices, 1e-3, {5, static_cast<uint64_t>(i)});
    }
    INFO("loss ", result.loss);
    CHECK(result.correct == 8);
  }
}

}  // namespace fer::test
