// Weights that Keras saved as HDF5: what model.save("x.h5") and model.save_weights("x.h5") have written since Keras 2.
#pragma once

#include <filesystem>

#include "tensor/safetensors.h"

namespace fer {

// Whether the file begins as HDF5 files do.
bool is_hdf5(const std::filesystem::path& path);

// Every layer's weights as f32 under the layer's name: "conv1/kernel", "conv1/bias", "conv1_bn/gamma", "…/beta",
// "…/moving_mean", "…/moving_variance"; layers of a model inside the model stand beside the others. As Keras does, a
// weight is known by its place in its layer, since what it is called has changed. Layouts are PyTorch's: HWIO became
// OIHW, depthwise HWC1 became C1HW, dense (in,out) became (out,in), whose inputs keep Keras' order where a map was
// flattened. Throws naming the file when it is no such file, and the layer that is damaged.
TensorFile read_keras(const std::filesystem::path& path);

}  // namespace fer
