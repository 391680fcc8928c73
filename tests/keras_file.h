// Writes .h5 files the way Keras does, through HDF5's own functions.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace fer::test {

struct KerasLayer {
  std::string name;
  std::vector<std::pair<std::string, Tensor>> weights;  // "conv1/kernel:0", f32 in Keras' layout
};

struct KerasFileOptions {
  bool whole_model = true;       // below group model_weights, as model.save() does
  size_t names_a_part = 0;       // split lists of names after so many; 0: never
  bool variable_length = false;  // how the names are kept
  bool list_layers = true;
};

void write_keras(const std::filesystem::path& path, const std::vector<KerasLayer>& layers,
                 const KerasFileOptions& options = {});

// A tensor of a network, in PyTorch's layout, as Keras keeps it.
Tensor in_keras_layout(const Tensor& weight);

}  // namespace fer::test
