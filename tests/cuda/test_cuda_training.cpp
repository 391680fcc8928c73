// What stands on executors, on the emulated GPU: the training loop and its checkpoints, attacks, maps.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "analysis/gradcam.h"
#include "analysis/machine.h"
#include "attacks/fgsm.h"
#include "attacks/pgd.h"
#include "attacks/pixel_attack.h"
#include "data/dataset.h"
#include "models/saved_model.h"
#include "tests/cuda/emulated_gpu.h"
#include "tests/temporary_folder.h"
#include "train/trainer.h"

namespace fer::test {

namespace {

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double most = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(double{a.data<float>()[i]} - double{b.data<float>()[i]}));
  }
  return most;
}

// Two epochs, each on its device: the second goes on from the first one's checkpoint. Labels are drawn every epoch, as
// from FER+'s votes.
TensorFile train_on(std::initializer_list<Device> devices) {
  const TemporaryFolder folder;
  Dataset dataset = open_dataset("synthetic:24");
  dataset.metadata["ferplus_mode"] = "probability";
  dataset.targets = Tensor(DType::f32, {24, 7});
  std::fill_n(dataset.targets.data<float>(), dataset.targets.size(), 1 / 7.0F);
  const Split split = make_split(dataset, {.kind = "random:0.2", .validation = 0.2});
  TrainOptions options;
  options.model = "cnn_1block";
  options.data = "synthetic:24";
  options.optimizer = "sgd";
  options.momentum = 0.9;
  options.lr = 1e-2;
  options.batch = 4;
  options.epochs = static_cast<int64_t>(devices.size());
  for (Device device : devices) {
    const Network network = make_network(options.model, {.classes = 7, .size = 8}, 3, device);
    Trainer trainer(options, network, find_model(options.model).head, {{"model", options.model}}, dataset, split,
                    folder.path());
    trainer.resume();
    std::atomic<bool> stop = false;
    trainer.train([&](const Progress& progress) { stop = progress.record != nullptr; }, stop);
  }
  TensorFile result;
  for (const auto& [name, tensor] : read_safetensors(folder / "last.safetensors").tensors) {
    result.tensors.emplace(name, tensor.clone());
  }
  return result;
}

// What attacks and maps make of eight faces.
struct Examined {
  explicit Examined(Device device) {
    const Network network = make_network("cnn_1block", {.classes = 7, .size = 8}, 6, device);
    const Tensor images = unit_images(synthetic_faces(8, 4));
    const Shape shape{48, 48, 1};
    Tensor labels(DType::i32, {8});
    probabilities = Classifier(network, shape, DType::f32, 3).probabilities(images);
    for (int64_t i = 0; i < 8; ++i) {
      const float* row = probabilities.data() + i * 7;
      labels.data<int32_t>()[i] = static_cast<int32_t>(std::max_element(row, row + 7) - row);
    }
    fgsm = Fgsm(network, shape, {0.02, 0.1}, 3).attack(images, labels);
    PgdOptions steps;
    steps.eps = 0.05;
    steps.steps = 3;
    pgd = Pgd(network, shape, steps, 3).attack(images, labels);
    PixelAttackOptions search;
    search.candidates = 12;
    search.chunk = 4;
    search.images = 2;
    one_pixel = PixelAttack(network, shape, search).attack(images, labels);
    maps = GradCam(network, shape, "blocks.0.1.conv", 3).maps(images, std::vector<int32_t>(8, 2));
  }

  std::vector<float> probabilities;
  std::vector<Tensor> fgsm;
  AttackResult pgd, one_pixel;
  Tensor maps;
};

}  // namespace

TEST_CASE("cuda training: an epoch on the GPU, checkpointed and gone on with on the CPU, and the other way round") {
  const TensorFile cpu = train_on({Device::cpu, Device::cpu});
  const EmulatedGpu emulated;
  for (const TensorFile& other : {train_on({Device::cuda, Device::cpu}), train_on({Device::cpu, Device::cuda})}) {
    REQUIRE(other.tensors.size() == cpu.tensors.size());
    for (const auto& entry : cpu.tensors) {
      const std::string& name = entry.first;
      const Tensor& tensor = entry.second;
      CAPTURE(name);
      if (tensor.dtype() == DType::f32) {
        // A ReLU whose input is all but zero may fall on the other side, which moves a moment by some hundredths.
        const Tensor zeros(DType::f32, tensor.shape());
        CHECK(largest_difference(other.at(name), tensor) < 1e-4 + 0.03 * largest_difference(tensor, zeros));
      } else {
        CHECK(std::memcmp(other.at(name).view().data, tensor.view().data, static_cast<size_t>(tensor.bytes())) == 0);
      }
    }
  }
  CHECK(emulated.gpu->replays() > 0);
  CHECK(emulated.is_empty());
}

TEST_CASE("cuda training: attacks, classifier and maps give what they give on the CPU") {
  const Examined cpu(Device::cpu);
  const EmulatedGpu emulated;
  const Examined gpu(Device::cuda);
  for (size_t i = 0; i < cpu.probabilities.size(); ++i) {
    CHECK(gpu.probabilities[i] == doctest::Approx(cpu.probabilities[i]).epsilon(1e-4));
  }
  for (size_t i = 0; i < 2; ++i) {
    CHECK(largest_difference(gpu.fgsm[i], cpu.fgsm[i]) < 1e-6);
  }
  CHECK(gpu.pgd.success == cpu.pgd.success);
  CHECK(largest_difference(gpu.pgd.attacked, cpu.pgd.attacked) < 1e-5);
  CHECK(gpu.one_pixel.success == cpu.one_pixel.success);
  CHECK(gpu.one_pixel.queries == cpu.one_pixel.queries);
  CHECK(largest_difference(gpu.one_pixel.attacked, cpu.one_pixel.attacked) < 1e-6);
  CHECK(largest_difference(gpu.maps, cpu.maps) < 1e-6);
  CHECK(emulated.is_empty());
}

TEST_CASE("cuda training: the limits of a GPU are measured in every precision") {
  const EmulatedGpu emulated;
  for (Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    const MachineLimits limits = measure_gpu(precision, 8);
    CHECK(limits.flops_per_second > 0);
    CHECK(limits.bytes_per_second > 0);
  }
}

}  // namespace fer::test
