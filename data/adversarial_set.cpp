#include "data/adversarial_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/file.h"

namespace fer {

namespace {

using nlohmann::json;

constexpr const char* source_key = "adversarial_source";
constexpr const char* attacks_key = "adversarial_attacks";
constexpr const char* record_name = "adversarial.json";

bool is_file(const std::filesystem::path& path) { return path.extension() == ".safetensors"; }

// The number in "happy/00000012.png" or "train/happy/Training_00000012.png".
int64_t number_of(const std::string& name) {
  const size_t begin = name.find_last_of("/_") + 1;
  int64_t number = -1;
  std::from_chars(name.data() + begin, name.data() + name.size(), number);
  return number;
}

void write_folder(const std::filesystem::path& folder, const AdversarialSet& set) {
  if (set.dataset.images.dtype() != DType::u8) {
    fail("adversarial set: class folders hold 8-bit images, these are ", set.dataset.images.dtype(),
         "; round them first (--store u8)");
  }
  write_image_folder(folder, set.dataset);
  const std::vector<int32_t> labels(set.dataset.labels.as<int32_t>().begin(), set.dataset.labels.as<int32_t>().end());
  const json record = {{"classes", set.dataset.classes},
                       {"labels", labels},
                       {"source", set.source},
                       {"attacks", set.attacks},
                       {"metadata", set.dataset.metadata}};
  write_file(folder / record_name, record.dump(1));
}

AdversarialSet read_folder(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / record_name)) {
    fail("adversarial set: ", folder.string(), " has no ", record_name, "; `fer attack … --out` writes one");
  }
  const Dataset unordered = read_image_folder(folder);
  AdversarialSet set;
  std::vector<int32_t> labels;
  try {
    const json record = json::parse(read_file(folder / record_name));
    record.at("classes").get_to(set.dataset.classes);
    record.at("labels").get_to(labels);
    record.at("source").get_to(set.source);
    record.at("attacks").get_to(set.attacks);
    record.at("metadata").get_to(set.dataset.metadata);
  } catch (const json::exception& error) {
    fail("adversarial set: ", (folder / record_name).string(), " is damaged: ", error.what());
  }
  const size_t count = labels.size();
  std::vector<int32_t> order(count, -1);
  for (size_t i = 0; i < unordered.names.size(); ++i) {
    const int64_t number = number_of(unordered.names[i]);
    if (number < 0 || static_cast<size_t>(number) >= count || order[static_cast<size_t>(number)] >= 0) {
      fail("adversarial set: ", folder.string(), ": ", unordered.names[i], " is none of the ", count, " images of ",
           record_name);
    }
    order[static_cast<size_t>(number)] = static_cast<int32_t>(i);
  }
  const auto missing = std::find(order.begin(), order.end(), -1);
  if (missing != order.end() || set.source.size() != count || set.attacks.size() != count) {
    fail("adversarial set: ", folder.string(), ": image ", missing - order.begin(), " of ", count, " in ", record_name,
         " is missing");
  }
  Dataset ordered = select(unordered, order);
  ordered.classes = set.dataset.classes;
  ordered.metadata = set.dataset.metadata;
  ordered.labels = Tensor::from<int32_t>({static_cast<int64_t>(count)}, labels.data());
  set.dataset = std::move(ordered);
  return set;
}

}  // namespace

void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set) {
  if (!is_file(path)) {
    write_folder(path, set);
    return;
  }
  Dataset dataset = set.dataset;
  dataset.metadata[source_key] = json(set.source).dump();
  dataset.metadata[attacks_key] = json(set.attacks).dump();
  write_dataset(path, dataset);
}

AdversarialSet read_adversarial_set(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    return read_folder(path);
  }
  AdversarialSet set;
  set.dataset = read_dataset(path);
  const auto take = [&](const char* key, auto& into) {
    const auto found = set.dataset.metadata.find(key);
    if (found == set.dataset.metadata.end()) {
      fail("adversarial set: ", path.string(),
           " is a data set without stored attacks; `fer attack … --out` writes one");
    }
    try {
      json::parse(found->second).get_to(into);
    } catch (const json::exception& error) {
      fail("adversarial set: ", path.string(), ": metadata '", key, "' is damaged: ", error.what());
    }
    if (static_cast<int64_t>(into.size()) != set.dataset.size()) {
      fail("adversarial set: ", path.string(), ": metadata '", key, "' has ", into.size(), " entries for ",
           set.dataset.size(), " images");
    }
    set.dataset.metadata.erase(found);
  };
  take(source_key, set.source);
  take(attacks_key, set.attacks);
  return set;
}

Tensor to_lattice(const Tensor& attacked, const Tensor& originals, double eps) {
  if (attacked.shape() != originals.shape() || attacked.dtype() != DType::f32 || originals.dtype() != DType::f32) {
    fail("to_lattice: attacked images ", attacked.dtype(), attacked.shape(), " and originals ", originals.dtype(),
         originals.shape(), " must be alike, f32");
  }
  constexpr double slack = 1e-4;  // of a grey level: what f32 pixels may be off their own lattice point
  Tensor result(DType::u8, attacked.shape());
  for (int64_t i = 0; i < attacked.size(); ++i) {
    const double origin = 255.0 * static_cast<double>(originals.data<float>()[i]);
    const double low = eps > 0 ? std::max(0.0, std::ceil(origin - 255 * eps - slack)) : 0;
    const double high = eps > 0 ? std::min(255.0, std::floor(origin + 255 * eps + slack)) : 255;
    if (low > high) {
      fail("to_lattice: no 8-bit pixel lies within ", eps, " of ", originals.data<float>()[i],
           "; store f32 or take an eps of 1/255 or more");
    }
    result.data<uint8_t>()[i] =
        static_cast<uint8_t>(std::clamp(std::round(255.0 * static_cast<double>(attacked.data<float>()[i])), low, high));
  }
  return result;
}

}  // namespace fer
