#include <doctest/doctest.h>

#include "data/dataset.h"
#include "data/image.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

TensorFile two_images() {
  TensorFile file;
  file.tensors["images"] = Tensor(DType::u8, {2, 3, 3, 1});
  const int64_t labels[] = {0, 2};
  file.tensors["labels"] = Tensor::from<int64_t>({2}, labels);
  return file;
}

std::string error_for(const TensorFile& file) {
  const TemporaryFolder folder;
  write_safetensors(folder / "set.safetensors", file);
  return error_of([&] { read_dataset(folder / "set.safetensors"); });
}

}  // namespace

TEST_CASE("dataset_file: what is written is read back") {
  const TemporaryFolder folder;
  Dataset dataset = synthetic_faces(9, 4);
  dataset.targets = Tensor(DType::f32, {9, 7});
  dataset.targets.data<float>()[8] = 0.25f;
  dataset.multi_target = true;
  dataset.names[0] = "a \"quoted\" näme";
  write_dataset(folder / "a.safetensors", dataset);
  const Dataset back = open_dataset((folder / "a.safetensors").string());
  CHECK(back.classes == dataset.classes);
  CHECK(back.parts == dataset.parts);
  CHECK(back.subjects == dataset.subjects);
  CHECK(back.names == dataset.names);
  CHECK(back.metadata == dataset.metadata);
  CHECK(back.multi_target);
  CHECK(back.labels.dtype() == DType::i32);
  CHECK(back.targets.data<float>()[8] == 0.25f);
  CHECK(digest(back) == digest(dataset));
  CHECK(digest(back).size() == 16);
  // In the file, labels are what Python expects.
  CHECK(read_safetensors(folder / "a.safetensors").at("labels").dtype() == DType::i64);
}

TEST_CASE("dataset_file: the digest tells apart pixels, labels and class names") {
  const Dataset dataset = synthetic_faces(3, 4);
  Dataset other = select(dataset, {0, 1, 2});
  CHECK(digest(other) == digest(dataset));
  other.images.data<uint8_t>()[5000] ^= 1;
  CHECK(digest(other) != digest(dataset));
  other = select(dataset, {0, 1, 2});
  other.labels.data<int32_t>()[1] += 1;
  CHECK(digest(other) != digest(dataset));
  other = select(dataset, {0, 1, 2});
  other.classes[0] = "furious";
  CHECK(digest(other) != digest(dataset));
  CHECK(holds(error_of([&] { select(dataset, {0, 3}); }), "no sample 3", "3"));
}

TEST_CASE("dataset_file: f32 images are read as they are and rounded for display") {
  const TemporaryFolder folder;
  TensorFile file = two_images();
  file.tensors["images"] = Tensor(DType::f32, {2, 3, 3, 1});
  file.tensors["images"].data<float>()[9] = 0.5f;
  file.metadata["attack"] = "fgsm";
  write_safetensors(folder / "a.safetensors", file);
  const Dataset dataset = read_dataset(folder / "a.safetensors");
  CHECK(dataset.images.data<float>()[9] == 0.5f);
  CHECK(image_at(dataset, 1).data<uint8_t>()[0] == 128);
  CHECK(dataset.metadata.at("attack") == "fgsm");
  // A set from another program: no names of classes, parts or samples.
  CHECK(dataset.classes == std::vector<std::string>{"0", "1", "2"});
  CHECK(dataset.parts == std::vector<Part>(2, Part::none));
  CHECK(dataset.names == std::vector<std::string>{"image 0", "image 1"});
}

TEST_CASE("dataset_file: sets that do not hold together are refused") {
  CHECK(error_for(two_images()) == "no error");
  TensorFile file = two_images();
  file.tensors.erase("labels");
  CHECK(holds(error_for(file), "set.safetensors", "'labels'"));
  file = two_images();
  file.tensors["images"] = Tensor(DType::u8, {2, 3, 3});
  CHECK(holds(error_for(file), "images are u8 [2,3,3]"));
  file.tensors["images"] = Tensor(DType::f64, {2, 3, 3, 1});
  CHECK(holds(error_for(file), "images are f64"));
  file.tensors["images"] = Tensor(DType::f32, {2, 3, 3, 1});
  file.tensors["images"].data<float>()[10] = 1.5f;
  CHECK(holds(error_for(file), "image 1", "1.5"));
  file.tensors["images"].data<float>()[10] = std::numeric_limits<float>::quiet_NaN();
  CHECK(holds(error_for(file), "image 1", "nan"));
  file = two_images();
  file.tensors["labels"] = Tensor(DType::i64, {3});
  CHECK(holds(error_for(file), "labels are i64 [3]", "i64 [2]"));
  file = two_images();
  file.metadata["classes"] = "[\"a\",\"b\"]";
  CHECK(holds(error_for(file), "label 2 of image 1", "0 to 1"));
  file.metadata["classes"] = "a,b";
  CHECK(holds(error_for(file), "'classes'", "JSON"));
  file = two_images();
  file.tensors["labels"].data<int64_t>()[0] = -1;
  CHECK(holds(error_for(file), "label -1 of image 0"));
  file = two_images();
  file.tensors["targets"] = Tensor(DType::f32, {2, 2});
  CHECK(holds(error_for(file), "targets are f32 [2,2]", "[2,3]"));
  file = two_images();
  file.metadata["parts"] = "[\"Training\"]";
  CHECK(holds(error_for(file), "'parts'", "1 elements, expected 2"));
  file.metadata["parts"] = "[\"Training\",\"training\"]";
  CHECK(holds(error_for(file), "part 'training'"));

  const TemporaryFolder folder;
  Dataset dataset = synthetic_faces(3, 1);
  dataset.metadata["names"] = "mine";
  CHECK(holds(error_of([&] { write_dataset(folder / "a", dataset); }), "'names'", "reserved"));
}
