// Networks by name, new or read back from the files that hold their weights.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "layers/network.h"
#include "models/model.h"
#include "tensor/safetensors.h"

namespace fer {

// What a weights file must tell so that its network can be built again.
struct SavedModel {
  std::string model;
  ModelOptions options;
  std::vector<std::string> classes;
};

std::map<std::string, std::string> to_metadata(const SavedModel& saved);

// Throws when `file` was not written with to_metadata.
SavedModel saved_model(const TensorFile& file);

// A network by name with first values drawn from `seed`.
Network make_network(const std::string& model, const ModelOptions& options, uint64_t seed, Device device = Device::cpu,
                     Precision precision = Precision::fp32);

// A network from a weights file, or from best.safetensors of a run folder.
struct LoadedNetwork {
  Network network;
  SavedModel saved;
  std::filesystem::path file;
};
LoadedNetwork load_network(const std::filesystem::path& run_or_file, Device device = Device::cpu,
                           Precision precision = Precision::fp32);

// The weights file that `run_or_file` stands for.
std::filesystem::path weights_path(const std::filesystem::path& run_or_file);

}  // namespace fer
