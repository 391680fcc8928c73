// A training step and the loop around it: the same bits whatever the plan, the same bits again, learning at all.
#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "models/saved_model.h"
#include "tests/device.h"
#include "tests/small_data.h"
#include "tests/temporary_folder.h"
#include "train/trainer.h"

namespace fer::test {

namespace {

struct Trained {
  std::shared_ptr<Variables> variables;
  std::vector<double> losses;
};

Trained steps(const std::string& model, const PlanOptions& plan, int count, const std::string& adversarial = "none",
              int64_t* peak = nullptr) {
  TrainOptions options;
  options.batch = 8;
  options.augment = "strong";
  options.adversarial = adversarial;
  options.label_smoothing = 0.1;
  const Network network = make_network(model, {.size = 32}, 3, test_device());
  TrainingStep step(options, network, find_model(model).head, small_data(8, 32), plan);
  std::vector<int32_t> indices(8);
  std::iota(indices.begin(), indices.end(), 0);
  if (peak != nullptr) {
    *peak = step.plan().peak_bytes();
  }
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

// Three epochs of three batches whose backbone thaws after the first (`unfreeze_after`), stopped and resumed after
// each of the given numbers of batches. Returns the checkpoint.
TensorFile thawed(const std::vector<int>& stops, int64_t unfreeze_after = 1, int64_t epochs = 3) {
  const TemporaryFolder folder;
  const Dataset dataset = open_dataset("synthetic:40");
  const Split split = make_split(dataset, {.kind = "random:0.4", .validation = 0});
  TrainOptions options;
  options.model = "cnn_2block";
  options.data = "synthetic:40";
  options.batch = 8;
  options.size = 16;
  options.epochs = epochs;
  options.freeze = "backbone";
  options.unfreeze_after = unfreeze_after;
  std::vector<int> ends = stops;
  ends.push_back(1000);
  int done = 0;
  for (int end : ends) {
    const Network network = make_network(options.model, {.classes = 7, .size = 16}, 3, test_device());
    Trainer trainer(options, network, find_model(options.model).head, {{"model", options.model}}, dataset, split,
                    folder.path());
    REQUIRE(trainer.training_samples() / options.batch == 3);
    trainer.resume();
    std::atomic<bool> stop = done >= end;
    const auto count = [&](const Progress&) { stop = ++done >= end; };
    const Trainer::Outcome outcome = trainer.train(count, stop);
    CHECK(outcome == (end == 1000 ? Trainer::Outcome::finished : Trainer::Outcome::interrupted));
  }
  TensorFile result;
  for (const auto& [name, tensor] : read_safetensors(folder / "last.safetensors").tensors) {
    result.tensors.emplace(name, tensor.clone());
  }
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.view().data, b.view().data, static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace

TEST_CASE("training: a frozen backbone stays as it is, statistics too, and trains once it thaws") {
  const Network fresh = make_network("cnn_2block", {.classes = 7, .size = 16}, 3);
  Graph graph;
  fresh.make(graph);
  const TensorFile frozen = thawed({}, 2, 3), kept = thawed({}, 0, 2);
  for (Value value : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
    CAPTURE(record.name);
    const Tensor first = to_torch_layout(fresh.variables->get(record.name, record.type, record.initializer));
    const bool head = record.name.rfind(find_model("cnn_2block").head + ".", 0) == 0;
    CHECK(same_bits(kept.at(record.name), first) == !head);
    CHECK(!same_bits(frozen.at(record.name), first));
    if (record.name.ends_with(".running_mean")) {
      const std::string tracked = record.name.substr(0, record.name.size() - 12) + "num_batches_tracked";
      CHECK(*kept.at(tracked).data<int64_t>() == 0);
      CHECK(*frozen.at(tracked).data<int64_t>() == 3);
    }
  }
}

TEST_CASE("training: a run stopped before, at and after the thaw goes on to the same bits") {
  const TensorFile whole = thawed({});
  for (const std::vector<int>& stops : std::vector<std::vector<int>>{{1}, {2, 3}, {3, 4}, {5}, {6, 7}}) {
    CAPTURE(stops.front());
    const TensorFile resumed = thawed(stops);
    REQUIRE(resumed.tensors.size() == whole.tensors.size());
    for (const auto& [name, tensor] : whole.tensors) {
      CAPTURE(name);
      CHECK(same_bits(tensor, resumed.at(name)));
    }
  }
}

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

TEST_CASE("training: a step in less memory gives the same bits") {
  for (const char* model : {"cnn_2block", "mobilenet_v2", "densenet121", "efficientnet_b0", "stn_resnet50"}) {
    const bool attacked = std::string(model) == "mobilenet_v2";
    const std::string adversarial = attacked ? "fly:fgsm,eps=0.03" : "none";
    CAPTURE(model);
    int64_t unlimited = 0, least = 0, between = 0;
    const Trained free = steps(model, {}, 2, adversarial, &unlimited);
    const auto check_limited = [&](int64_t limit, int64_t& peak) {
      PlanOptions plan;
      plan.memory_limit = limit;
      const Trained limited = steps(model, plan, 2, adversarial, &peak);
      CHECK(free.losses == limited.losses);
      check_equal(*free.variables, *limited.variables);
    };
    check_limited(1, least);
    CHECK(least < unlimited);
    check_limited((least + unlimited) / 2, between);
    CHECK(between <= (least + unlimited) / 2);
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
    const Network network = make_network(model, {.size = 32, .dropout = 0}, 3, test_device());
    TrainingStep step(options, network, find_model(model).head, small_data(8, 32));
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
