// What the layers of the published networks are called elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fer {

// A layer with weights, under its name here, which is torchvision's.
struct LayerNames {
  std::string ours;                // "features.0.1"
  std::vector<std::string> torch;  // other names in .safetensors files: timm's, and those of torchvision's old files
  std::vector<std::string> keras;  // Keras applications' names, today's first; none for a layer that Keras lacks
  bool norm = false;               // a batch-norm
};

// The layers of a network with their classifiers as published, in the order of computation; none for networks that
// nobody else has.
std::vector<LayerNames> layer_names(std::string_view model);

// The names a network's variable ("features.0.1.running_mean") may have in .safetensors files: its own first.
std::vector<std::string> names_in_safetensors(const std::vector<LayerNames>& layers, const std::string& variable);

// The same in Keras files ("bn_Conv1/moving_mean"), as read_keras names their tensors; none for a layer that Keras
// lacks.
std::vector<std::string> names_in_keras(const std::vector<LayerNames>& layers, const std::string& variable);

}  // namespace fer
