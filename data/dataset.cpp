#include "data/dataset.h"

#include <charconv>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "data/hash.h"
#include "data/part.h"

namespace fer {

namespace {

constexpr std::string_view usages[part_count] = {"none", "Training", "PublicTest", "PrivateTest"};

constexpr int64_t default_synthetic_count = 3000;

int64_t synthetic_count(const std::string& specification) {
  const size_t colon = specification.find(':');
  if (colon == std::string::npos) {
    return default_synthetic_count;
  }
  const char* begin = specification.data() + colon + 1;
  const char* end = specification.data() + specification.size();
  int64_t count = 0;
  const auto [stop, error] = std::from_chars(begin, end, count);
  if (error != std::errc() || stop != end || count < 1 || count > 10'000'000) {
    fail("data: '", specification, "': expected synthetic:N with N from 1 to 10000000");
  }
  return count;
}

// Rows `indices` of a tensor whose first dimension counts samples.
Tensor select_rows(const Tensor& tensor, const std::vector<int32_t>& indices) {
  Tensor result(tensor.dtype(), tensor.shape().with(0, static_cast<int64_t>(indices.size())));
  const int64_t samples = tensor.shape()[0];
  const size_t row_bytes = samples == 0 ? 0 : static_cast<size_t>(tensor.bytes() / samples);
  auto* to = static_cast<std::byte*>(result.view().data);
  const auto* from = static_cast<const std::byte*>(tensor.view().data);
  for (size_t i = 0; i < indices.size(); ++i) {
    std::memcpy(to + i * row_bytes, from + static_cast<size_t>(indices[i]) * row_bytes, row_bytes);
  }
  return result;
}

template <class T>
std::vector<T> select_elements(const std::vector<T>& elements, const std::vector<int32_t>& indices) {
  std::vector<T> result;
  if (!elements.empty()) {
    result.reserve(indices.size());
    for (int32_t index : indices) {
      result.push_back(elements[static_cast<size_t>(index)]);
    }
  }
  return result;
}

void add_tensor(Hasher& hasher, const Tensor& tensor) {
  const std::string head = std::string(name_of(tensor.dtype())) + to_string(tensor.shape());
  hasher.add(head.data(), head.size());
  hasher.add(tensor.view().data, static_cast<size_t>(tensor.bytes()));
}

}  // namespace

std::string_view usage_of(Part part) { return usages[static_cast<int>(part)]; }

std::optional<Part> part_of_usage(std::string_view usage) {
  for (Part part : {Part::train, Part::public_test, Part::private_test}) {
    if (usage == usage_of(part)) {
      return part;
    }
  }
  return std::nullopt;
}

FerPlusMode parse_ferplus_mode(std::string_view text) {
  constexpr std::pair<std::string_view, FerPlusMode> modes[] = {{"none", FerPlusMode::none},
                                                                {"majority", FerPlusMode::majority},
                                                                {"probability", FerPlusMode::probability},
                                                                {"crossentropy", FerPlusMode::crossentropy},
                                                                {"multitarget", FerPlusMode::multitarget},
                                                                {"argmax10", FerPlusMode::argmax10}};
  for (const auto& [name, mode] : modes) {
    if (text == name) {
      return mode;
    }
  }
  fail("labels: '", text, "' is none of none, majority, probability, crossentropy, multitarget, argmax10");
}

Dataset open_dataset(const std::string& specification, const DatasetOptions& options) {
  const std::filesystem::path path = specification;
  const bool synthetic = specification == "synthetic" || specification.starts_with("synthetic:");
  const bool csv = !synthetic && path.extension() == ".csv";
  if (!csv && (options.mode != FerPlusMode::none || !options.ferplus.empty())) {
    fail("data: ", specification, ": FER+ labels go with FER2013's .csv only");
  }
  if (synthetic) {
    return synthetic_faces(synthetic_count(specification), options.seed);
  }
  if (csv) {
    return read_fer2013(path, options);
  }
  if (path.extension() == ".safetensors") {
    return read_dataset(path);
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return read_image_folder(path);
  }
  fail("data: ", specification, std::filesystem::exists(path, error) ? " is" : " does not exist; data is",
       " none of synthetic[:N], a .csv, a .safetensors set, a folder of class folders");
}

Tensor unit_images(const Dataset& dataset) {
  if (dataset.images.dtype() == DType::f32) {
    return dataset.images;
  }
  Tensor images = dataset.images.converted(DType::f32);
  for (float& pixel : images.as<float>()) {
    pixel /= 255.0f;
  }
  return images;
}

Dataset select(const Dataset& dataset, const std::vector<int32_t>& indices) {
  for (int32_t index : indices) {
    if (index < 0 || index >= dataset.size()) {
      fail("select: no sample ", index, " in a set of ", dataset.size());
    }
  }
  Dataset result;
  result.classes = dataset.classes;
  result.images = select_rows(dataset.images, indices);
  result.labels = select_rows(dataset.labels, indices);
  if (!dataset.targets.empty()) {
    result.targets = select_rows(dataset.targets, indices);
  }
  result.multi_target = dataset.multi_target;
  result.parts = select_elements(dataset.parts, indices);
  result.subjects = select_elements(dataset.subjects, indices);
  result.names = select_elements(dataset.names, indices);
  result.metadata = dataset.metadata;
  return result;
}

std::string digest(const Dataset& dataset) {
  Hasher hasher;
  for (const std::string& name : dataset.classes) {
    hasher.add(name.data(), name.size());
  }
  for (const Tensor* tensor : {&dataset.images, &dataset.labels, &dataset.targets}) {
    if (!tensor->empty()) {
      add_tensor(hasher, *tensor);
    }
  }
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << hasher.value();
  return text.str();
}

}  // namespace fer
