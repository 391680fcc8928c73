#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "data/part.h"
#include "tensor/safetensors.h"

namespace fer {

namespace {

using nlohmann::json;

// Keys of __metadata__ that hold fields of Dataset; all others are Dataset::metadata.
constexpr const char* reserved_keys[] = {"classes", "multi_target", "parts", "subjects", "names"};

// A data set's file being read; every error names it.
class SetReader {
 public:
  explicit SetReader(const std::filesystem::path& path) : path_(path), file_(read_safetensors(path)) {}

  Dataset read() {
    Dataset dataset;
    dataset.images = file_.at("images");
    check_images(dataset.images);
    count_ = dataset.size();
    read_labels(dataset);
    if (file_.contains("targets")) {
      dataset.targets = file_.at("targets");
      const Shape expected{count_, static_cast<int64_t>(dataset.classes.size())};
      if (dataset.targets.dtype() != DType::f32 || dataset.targets.shape() != expected) {
        reject("targets are ", dataset.targets.dtype(), " ", dataset.targets.shape(), ", expected f32 ", expected);
      }
      dataset.multi_target = file_.metadata["multi_target"] == "true";
    }
    dataset.parts.assign(static_cast<size_t>(count_), Part::none);
    const std::vector<std::string> parts = strings("parts", count_);
    std::transform(parts.begin(), parts.end(), dataset.parts.begin(), [&](const std::string& name) {
      const auto part = part_of_usage(name);
      if (!part && name != usage_of(Part::none)) {
        reject("part '", name, "' is none of none, Training, PublicTest, PrivateTest");
      }
      return part.value_or(Part::none);
    });
    dataset.subjects = strings("subjects", count_);
    dataset.names = strings("names", count_);
    if (dataset.names.empty()) {
      for (int64_t i = 0; i < count_; ++i) {
        dataset.names.push_back("image " + std::to_string(i));
      }
    }
    dataset.metadata = file_.metadata;
    for (const char* key : reserved_keys) {
      dataset.metadata.erase(key);
    }
    return dataset;
  }

 private:
  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail("data set: ", path_.string(), ": ", parts...);
  }

  void check_images(const Tensor& images) const {
    if ((images.dtype() != DType::u8 && images.dtype() != DType::f32) || images.shape().rank() != 4 ||
        images.size() == 0) {
      reject("images are ", images.dtype(), " ", images.shape(), ", expected u8 or f32 [images,height,width,channels]");
    }
    if (images.dtype() == DType::f32) {
      const View<float> pixels = images.as<float>();
      const float* wrong = std::find_if(pixels.begin(), pixels.end(), [](float p) { return !(p >= 0 && p <= 1); });
      if (wrong != pixels.end()) {
        reject("image ", (wrong - pixels.data) / (images.size() / images.shape()[0]), " has a pixel of ", *wrong,
               ", expected 0 to 1");
      }
    }
  }

  // Labels as i32; classes from the metadata, or numbered where another program wrote none.
  void read_labels(Dataset& dataset) {
    const Tensor& labels = file_.at("labels");
    if ((labels.dtype() != DType::i64 && labels.dtype() != DType::i32) || labels.shape() != Shape{count_}) {
      reject("labels are ", labels.dtype(), " ", labels.shape(), ", expected i64 [", count_, "]");
    }
    const Tensor wide = labels.converted(DType::i64);
    const View<int64_t> values = wide.as<int64_t>();
    dataset.classes = strings("classes", -1);
    if (dataset.classes.empty()) {
      const int64_t most = std::clamp<int64_t>(*std::max_element(values.begin(), values.end()), 0, 9999);
      for (int64_t i = 0; i <= most; ++i) {
        dataset.classes.push_back(std::to_string(i));
      }
    }
    const int64_t classes = static_cast<int64_t>(dataset.classes.size());
    const int64_t* wrong =
        std::find_if(values.begin(), values.end(), [&](int64_t label) { return label < 0 || label >= classes; });
    if (wrong != values.end()) {
      reject("label ", *wrong, " of image ", wrong - values.data, " is not in 0 to ", classes - 1);
    }
    dataset.labels = wide.converted(DType::i32);
  }

  // The JSON array of strings under `key`, `count` long unless that is negative; empty when there is none.
  std::vector<std::string> strings(const char* key, int64_t count) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) {
      return {};
    }
    std::vector<std::string> result;
    try {
      result = json::parse(found->second).get<std::vector<std::string>>();
    } catch (const json::exception&) {
      reject("metadata '", key, "' is no JSON array of strings");
    }
    if (count >= 0 && static_cast<int64_t>(result.size()) != count) {
      reject("metadata '", key, "' has ", result.size(), " elements, expected ", count);
    }
    return result;
  }

  const std::filesystem::path& path_;
  TensorFile file_;
  int64_t count_ = 0;
};

std::string to_json(const std::filesystem::path& path, const std::vector<std::string>& strings) {
  try {
    return json(strings).dump();
  } catch (const json::exception&) {
    fail("data set: ", path.string(), ": a name is not UTF-8");
  }
}

}  // namespace

Dataset read_dataset(const std::filesystem::path& safetensors) { return SetReader(safetensors).read(); }

void write_dataset(const std::filesystem::path& safetensors, const Dataset& dataset) {
  TensorFile file;
  file.metadata = dataset.metadata;
  for (const char* key : reserved_keys) {
    if (file.metadata.count(key) != 0) {
      fail("data set: ", safetensors.string(), ": the metadata key '", key, "' is reserved");
    }
  }
  file.tensors["images"] = dataset.images;
  file.tensors["labels"] = dataset.labels.converted(DType::i64);
  file.metadata["classes"] = to_json(safetensors, dataset.classes);
  if (!dataset.targets.empty()) {
    file.tensors["targets"] = dataset.targets;
    file.metadata["multi_target"] = dataset.multi_target ? "true" : "false";
  }
  if (!dataset.parts.empty()) {
    std::vector<std::string> parts;
    std::transform(dataset.parts.begin(), dataset.parts.end(), std::back_inserter(parts),
                   [](Part part) { return std::string(usage_of(part)); });
    file.metadata["parts"] = to_json(safetensors, parts);
  }
  if (!dataset.subjects.empty()) {
    file.metadata["subjects"] = to_json(safetensors, dataset.subjects);
  }
  if (!dataset.names.empty()) {
    file.metadata["names"] = to_json(safetensors, dataset.names);
  }
  write_safetensors(safetensors, file);
}

}  // namespace fer
