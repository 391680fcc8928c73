#include "data/adversarial_set.h"

#include <nlohmann/json.hpp>

namespace fer {

namespace {
constexpr const char* source_key = "adversarial_source";
constexpr const char* attacks_key = "adversarial_attacks";
}  // namespace

void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set) {
  Dataset dataset = set.dataset;
  dataset.metadata[source_key] = nlohmann::json(set.source).dump();
  dataset.metadata[attacks_key] = nlohmann::json(set.attacks).dump();
  write_dataset(path, dataset);
}

AdversarialSet read_adversarial_set(const std::filesystem::path& path) {
  AdversarialSet set;
  set.dataset = read_dataset(path);
  const auto take = [&](const char* key, auto& into) {
    const auto found = set.dataset.metadata.find(key);
    if (found == set.dataset.metadata.end()) {
      fail("adversarial set: ", path.string(),
           " is a data set without stored attacks; `fer attack … --out` writes one");
    }
    try {
      nlohmann::json::parse(found->second).get_to(into);
    } catch (const nlohmann::json::exception& error) {
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

}  // namespace fer
