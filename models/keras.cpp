#include "models/keras.h"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>
#include <vector>

#include "layers/weights.h"

namespace fer {

namespace {

// An HDF5 identifier and how it is given back.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) {
      close_(id_);
    }
  }
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5 prints its own errors unless told not to; here every failure is reported by an exception instead.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

class KerasFile {
 public:
  explicit KerasFile(const std::filesystem::path& path)
      : path_(path), file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose) {
    if (!file_.valid()) {
      fail("weights: ", path.string(), " cannot be read as HDF5: it is damaged, or no file that can be opened");
    }
  }

  TensorFile read() {
    // A whole saved model keeps its weights in a group, a file of weights alone has them at its root.
    const Handle root = group(file_.get(), exists(file_.get(), "model_weights") ? "model_weights" : "/");
    if (!has_strings(root.get(), "layer_names")) {
      fail("weights: ", path_.string(), " has no attribute 'layer_names'",
           exists(file_.get(), "layers") || exists(file_.get(), "_layer_checkpoint_dependencies")
               ? ": it is of Keras 3's own format; the older one is read, as written by model.save(\"model.h5\")"
               : ": it was not written by Keras");
    }
    TensorFile result;
    result.source = path_;
    for (const std::string& layer : strings(root.get(), "layer_names")) {
      read_layer(root.get(), layer, result);
    }
    return result;
  }

 private:
  static bool exists(hid_t at, const char* name) { return H5Lexists(at, name, H5P_DEFAULT) > 0; }

  Handle group(hid_t at, const std::string& name) const {
    Handle opened(H5Gopen2(at, name.c_str(), H5P_DEFAULT), H5Gclose);
    if (!opened.valid()) {
      fail("weights: ", path_.string(), " has no group '", name, "', though it lists it");
    }
    return opened;
  }

  static bool has_attribute(hid_t at, const std::string& name) { return H5Aexists(at, name.c_str()) > 0; }
  static bool has_strings(hid_t at, const std::string& name) {
    return has_attribute(at, name) || has_attribute(at, name + "0");
  }

  // A list of texts. One that would be larger than an attribute may be is split over NAME0, NAME1, …
  std::vector<std::string> strings(hid_t at, const std::string& name) const {
    std::vector<std::string> all;
    if (has_attribute(at, name)) {
      append_strings(at, name, all);
      return all;
    }
    for (int part = 0; has_attribute(at, name + std::to_string(part)); ++part) {
      append_strings(at, name + std::to_string(part), all);
    }
    return all;
  }

  void append_strings(hid_t at, const std::string& name, std::vector<std::string>& all) const {
    const Handle attribute(H5Aopen(at, name.c_str(), H5P_DEFAULT), H5Aclose);
    const Handle type(H5Aget_type(attribute.get()), H5Tclose), space(H5Aget_space(attribute.get()), H5Sclose);
    const hssize_t count = space.valid() ? H5Sget_simple_extent_npoints(space.get()) : -1;
    if (count < 0 || !type.valid()) {
      fail("weights: ", path_.string(), ": attribute '", name, "' cannot be read");
    }
    if (count == 0) {  // Keras writes an empty list of numbers for a layer without weights
      return;
    }
    if (H5Tget_class(type.get()) != H5T_STRING) {
      fail("weights: ", path_.string(), ": attribute '", name, "' is no list of names");
    }
    const auto check = [&](herr_t status) {
      if (status < 0) {
        fail("weights: ", path_.string(), ": attribute '", name, "' cannot be read");
      }
    };
    if (H5Tis_variable_str(type.get()) > 0) {
      std::vector<char*> texts(static_cast<size_t>(count), nullptr);
      check(H5Aread(attribute.get(), type.get(), texts.data()));
      for (const char* text : texts) {
        all.emplace_back(text == nullptr ? "" : text);
      }
      H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, texts.data());
      return;
    }
    const size_t width = H5Tget_size(type.get());
    std::string texts(width * static_cast<size_t>(count), '\0');
    check(H5Aread(attribute.get(), type.get(), texts.data()));
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const std::string text = texts.substr(i * width, width);
      all.push_back(text.substr(0, text.find('\0')));
    }
  }

  void read_layer(hid_t root, const std::string& layer, TensorFile& result) const {
    const Handle opened = group(root, layer);
    const std::vector<std::string> names = strings(opened.get(), "weight_names");
    // The weights of an ordinary layer have one path, those of a model inside the model their own layers' paths.
    std::vector<std::pair<std::string, std::vector<std::string>>> owners;
    for (const std::string& name : names) {
      const size_t slash = name.rfind('/');
      const std::string owner = slash == std::string::npos ? layer : name.substr(0, slash);
      auto found = std::find_if(owners.begin(), owners.end(), [&](const auto& one) { return one.first == owner; });
      if (found == owners.end()) {
        owners.push_back({owner, {}});
        found = owners.end() - 1;
      }
      found->second.push_back(name);
    }
    for (const auto& [owner, weights] : owners) {
      std::string name = owners.size() == 1 ? layer : owner;
      if (name.rfind(layer + "/", 0) == 0) {
        name = name.substr(layer.size() + 1);
      }
      add_weights(opened.get(), name, weights, result);
    }
  }

  void add_weights(hid_t at, const std::string& layer, const std::vector<std::string>& weights,
                   TensorFile& result) const {
    constexpr std::array of_layer = {"kernel", "bias"};
    constexpr std::array of_normalisation = {"mean", "variance", "count"};
    constexpr std::array of_batch_norm = {"gamma", "beta", "moving_mean", "moving_variance"};
    for (size_t i = 0; i < weights.size(); ++i) {
      const std::string leaf = weights.size() <= 2   ? of_layer[i]
                               : weights.size() == 3 ? of_normalisation[i]
                               : weights.size() == 4 ? of_batch_norm[i]
                                                     : std::to_string(i);
      if (!result.tensors.emplace(layer + "/" + leaf, in_torch_layout(read_tensor(at, weights[i]))).second) {
        fail("weights: ", path_.string(), " has two layers '", layer, "'");
      }
    }
  }

  Tensor read_tensor(hid_t at, const std::string& name) const {
    const Handle dataset(H5Dopen2(at, name.c_str(), H5P_DEFAULT), H5Dclose);
    const Handle space(dataset.valid() ? H5Dget_space(dataset.get()) : -1, H5Sclose);
    const int rank = space.valid() ? H5Sget_simple_extent_ndims(space.get()) : -1;
    if (rank < 0 || rank > 5) {
      fail("weights: ", path_.string(), ": tensor '", name, "' is listed, but is not there or no tensor");
    }
    std::vector<hsize_t> extents(static_cast<size_t>(rank));
    H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
    constexpr double most = 1e9;  // a larger one is a damaged header: VGG19's largest has a tenth of that
    double elements = 1;
    for (hsize_t extent : extents) {
      elements *= static_cast<double>(extent);
    }
    if (elements > most) {
      fail("weights: ", path_.string(), ": tensor '", name, "' says it has ", elements, " elements");
    }
    Tensor tensor(DType::f32, Shape(std::vector<int64_t>(extents.begin(), extents.end())));
    if (H5Dread(dataset.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.view().data) < 0) {
      fail("weights: ", path_.string(), ": tensor '", name, "' cannot be read: the file is damaged, or cut short");
    }
    return tensor;
  }

  static Tensor in_torch_layout(const Tensor& tensor) {
    const Shape& shape = tensor.shape();
    if (shape.rank() == 4 && shape[3] == 1) {
      return permuted(tensor, {2, 3, 0, 1});
    }
    if (shape.rank() == 4) {
      return permuted(tensor, {3, 2, 0, 1});
    }
    return shape.rank() == 2 ? permuted(tensor, {1, 0}) : tensor;
  }

  std::filesystem::path path_;
  Handle file_;
};

}  // namespace

bool is_hdf5(const std::filesystem::path& path) {
  constexpr std::array signature = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  std::array<char, signature.size()> begin{};
  std::ifstream(path, std::ios::binary).read(begin.data(), begin.size());
  return begin == signature;
}

TensorFile read_keras(const std::filesystem::path& path) {
  const QuietErrors quiet;
  return KerasFile(path).read();
}

}  // namespace fer
