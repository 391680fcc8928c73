// Stored adversarial sets: the 8-bit lattice inside the ball, and both forms on disk.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/adversarial_set.h"
#include "data/image.h"
#include "tensor/file.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

AdversarialSet small_set(int64_t count, bool with_parts) {
  AdversarialSet set;
  set.dataset = synthetic_faces(count, 2);
  if (!with_parts) {
    set.dataset.parts.clear();
  }
  set.dataset.metadata = {{"attack", "fgsm eps 0.03"}, {"eps", "[0.03]"}, {"source_digest", "0123"}};
  for (int64_t i = 0; i < count; ++i) {
    set.source.push_back(static_cast<int32_t>(count - i));
    set.attacks.push_back(i % 2 == 0 ? "original" : "fgsm eps 0.03");
  }
  return set;
}

void check_equal(const AdversarialSet& a, const AdversarialSet& b) {
  CHECK(a.source == b.source);
  CHECK(a.attacks == b.attacks);
  CHECK(a.dataset.classes == b.dataset.classes);
  CHECK(a.dataset.metadata == b.dataset.metadata);
  REQUIRE(a.dataset.images.shape() == b.dataset.images.shape());
  const auto same = [](const Tensor& x, const Tensor& y) {
    return std::memcmp(x.view().data, y.view().data, static_cast<size_t>(x.bytes())) == 0;
  };
  CHECK(same(a.dataset.images, b.dataset.images));
  CHECK(same(a.dataset.labels, b.dataset.labels));
}

}  // namespace

TEST_CASE("adversarial set: rounding to 8 bits stays in the ball, and is the nearest point there") {
  Tensor originals(DType::f32, {1, 16, 16, 1}), attacked(DType::f32, {1, 16, 16, 1});
  for (int i = 0; i < 256; ++i) {
    originals.data<float>()[i] = static_cast<float>(i) / 255.0f;
  }
  for (const double eps : {1.0 / 255, 0.01, 8.0 / 255, 0.03, 0.3}) {
    CAPTURE(eps);
    for (const double direction : {-1.0, 1.0}) {
      for (int i = 0; i < 256; ++i) {
        attacked.data<float>()[i] =
            std::clamp(originals.data<float>()[i] + static_cast<float>(direction * eps), 0.0f, 1.0f);
      }
      const Tensor bytes = to_lattice(attacked, originals, eps);
      const auto reach = static_cast<int>(std::floor(255 * eps + 1e-4));
      for (int i = 0; i < 256; ++i) {
        const int expected = std::clamp(i + static_cast<int>(direction) * reach, 0, 255);
        CHECK(bytes.data<uint8_t>()[i] == expected);
        CHECK(std::abs(bytes.data<uint8_t>()[i] / 255.0 - i / 255.0) <= eps + 1e-6);
      }
    }
  }
  // Without a ball the nearest point is taken; in one without any, that is said.
  attacked.data<float>()[0] = 0.999f;
  CHECK(to_lattice(attacked, originals, 0).data<uint8_t>()[0] == 255);
  originals.data<float>()[7] = 7.5f / 255;
  CHECK_THROWS_WITH_AS(to_lattice(attacked, originals, 0.001), doctest::Contains("0.001"), Error);
}

TEST_CASE("adversarial set: a file and class folders give back what was written, in the same order") {
  const TemporaryFolder folder;
  for (const bool with_parts : {false, true}) {
    const AdversarialSet set = small_set(29, with_parts);
    const std::filesystem::path pictures = folder / (with_parts ? "parts" : "plain");
    write_adversarial_set(folder / "set.safetensors", set);
    check_equal(read_adversarial_set(folder / "set.safetensors"), set);
    write_adversarial_set(pictures, set);
    check_equal(read_adversarial_set(pictures), set);
    CHECK(std::filesystem::is_directory(pictures / (with_parts ? "train" : "") / "happy"));
  }
}

TEST_CASE("adversarial set: faults of folders are named") {
  const TemporaryFolder folder;
  AdversarialSet set = small_set(9, false);
  write_adversarial_set(folder / "set", set);
  const std::filesystem::path path = folder / "set";
  const std::string record = read_file(path / "adversarial.json");
  write_file(path / "adversarial.json", "{");
  CHECK_THROWS_WITH_AS(read_adversarial_set(path), doctest::Contains("damaged"), Error);
  write_file(path / "adversarial.json", record);
  const std::filesystem::path stray =
      path / set.dataset.classes[static_cast<size_t>(*set.dataset.labels.data<int32_t>())];
  write_png(stray / "00000042.png", image_at(set.dataset, 0));
  CHECK_THROWS_WITH_AS(read_adversarial_set(path), doctest::Contains("00000042.png"), Error);
  std::filesystem::remove(stray / "00000042.png");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.path().filename().string().ends_with("00000004.png")) {
      std::filesystem::remove(entry.path());
      break;
    }
  }
  CHECK_THROWS_WITH_AS(read_adversarial_set(path), doctest::Contains("image 4 of 9"), Error);
  std::filesystem::remove(path / "adversarial.json");
  CHECK_THROWS_WITH_AS(read_adversarial_set(path), doctest::Contains("no adversarial.json"), Error);
  set.dataset.images = unit_images(set.dataset);
  CHECK_THROWS_WITH_AS(write_adversarial_set(folder / "other", set), doctest::Contains("--store u8"), Error);
}

}  // namespace fer::test
