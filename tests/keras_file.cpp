#include "tests/keras_file.h"

#include <hdf5.h>

#include "layers/weights.h"

namespace fer::test {

namespace {

void write_strings(hid_t at, const std::string& name, const std::vector<std::string>& texts, bool variable_length) {
  const auto count = static_cast<hsize_t>(texts.size());
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t type = H5Tcopy(H5T_C_S1);
  size_t width = 1;
  std::vector<const char*> pointers;
  for (const std::string& text : texts) {
    width = std::max(width, text.size());
    pointers.push_back(text.c_str());
  }
  H5Tset_size(type, variable_length ? H5T_VARIABLE : width);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hid_t attribute = H5Acreate2(at, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (variable_length) {
    H5Awrite(attribute, type, pointers.data());
  } else if (!texts.empty()) {
    std::string all;
    for (const std::string& text : texts) {
      all += text + std::string(width - text.size(), '\0');
    }
    H5Awrite(attribute, type, all.data());
  }
  H5Aclose(attribute);
  H5Tclose(type);
  H5Sclose(space);
}

void write_names(hid_t at, const std::string& name, const std::vector<std::string>& names,
                 const KerasFileOptions& options) {
  if (options.names_a_part == 0 || names.size() <= options.names_a_part) {
    write_strings(at, name, names, options.variable_length);
    return;
  }
  for (size_t begin = 0, part = 0; begin < names.size(); begin += options.names_a_part, ++part) {
    const auto from = names.begin() + static_cast<long>(begin);
    const auto to = names.begin() + static_cast<long>(std::min(names.size(), begin + options.names_a_part));
    write_strings(at, name + std::to_string(part), {from, to}, options.variable_length);
  }
}

hid_t make_group(hid_t at, const std::string& name, hid_t with_parents) {
  return H5Gcreate2(at, name.c_str(), with_parents, H5P_DEFAULT, H5P_DEFAULT);
}

}  // namespace

void write_keras(const std::filesystem::path& path, const std::vector<KerasLayer>& layers,
                 const KerasFileOptions& options) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t with_parents = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(with_parents, 1);
  const hid_t root =
      options.whole_model ? make_group(file, "model_weights", with_parents) : H5Gopen2(file, "/", H5P_DEFAULT);
  std::vector<std::string> names;
  for (const KerasLayer& layer : layers) {
    names.push_back(layer.name);
    const hid_t group = make_group(root, layer.name, with_parents);
    std::vector<std::string> weight_names;
    for (const auto& [name, tensor] : layer.weights) {
      weight_names.push_back(name);
      const std::vector<hsize_t> extents(tensor.shape().extents().begin(), tensor.shape().extents().end());
      const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
      const hid_t dataset =
          H5Dcreate2(group, name.c_str(), H5T_IEEE_F32LE, space, with_parents, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.view().data);
      H5Dclose(dataset);
      H5Sclose(space);
    }
    write_names(group, "weight_names", weight_names, options);
    H5Gclose(group);
  }
  if (options.list_layers) {
    write_names(root, "layer_names", names, options);
  }
  H5Gclose(root);
  H5Pclose(with_parents);
  H5Fclose(file);
}

Tensor in_keras_layout(const Tensor& weight) {
  switch (weight.shape().rank()) {
    case 4:
      return weight.shape()[1] == 1 ? permuted(weight, {2, 3, 0, 1}) : permuted(weight, {2, 3, 1, 0});
    case 2:
      return permuted(weight, {1, 0});
    default:
      return weight;
  }
}

}  // namespace fer::test
