#include "models/pretrained.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>

#include "layers/weights.h"
#include "models/keras.h"
#include "models/saved_model.h"
#include "models/weight_names.h"

namespace fer {

namespace {

enum class Origin { ours, torch, keras };

// A weights file of any origin.
struct Source {
  Origin origin;
  TensorFile file;
  std::optional<SavedModel> saved;  // of our own files
};

// What the file is, by how it begins: formats that people try and that cannot be read have their own message.
void check_format(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fail("--weights: ", path.string(), " cannot be opened: it is no file, or may not be read");
  }
  std::array<char, 4> begin{};
  file.read(begin.data(), begin.size());
  if (begin == std::array{'P', 'K', '\x03', '\x04'}) {
    fail("--weights: ", path.string(), " is a zip archive, as PyTorch's .pt and Keras' .keras are: give .safetensors ",
         "(safetensors.torch.save_file(model.state_dict(), …)) or an .h5 (model.save(\"model.h5\"))");
  }
}

Source open_source(const std::filesystem::path& path) {
  if (is_hdf5(path)) {
    return {Origin::keras, read_keras(path), {}};
  }
  TensorFile file = read_safetensors(path);
  if (file.metadata.count("model") != 0) {
    SavedModel saved = saved_model(file);
    return {Origin::ours, std::move(file), std::move(saved)};
  }
  return {Origin::torch, std::move(file), {}};
}

// The three values of a tensor whose name ends so, or nothing.
std::vector<float> channel_values(const TensorFile& file, std::string_view ending) {
  for (const auto& [name, tensor] : file.tensors) {
    if (name.ends_with(ending) && tensor.size() == 3) {
      return {tensor.data<float>(), tensor.data<float>() + 3};
    }
  }
  return {};
}

// The normalisation a published network's weights were trained with. Keras' EfficientNet carries its own: mean 0 and
// variance 1 where it was never set.
Normalisation expected_normalisation(const Source& source, const std::string& model) {
  if (source.origin == Origin::ours) {
    return source.saved->options.normalisation;
  }
  if (source.origin == Origin::keras && model == "mobilenet_v2") {
    return Normalisation::symmetric;
  }
  if (source.origin == Origin::keras && (model == "resnet50" || model == "vgg19")) {
    return Normalisation::caffe;
  }
  const std::vector<float> mean = channel_values(source.file, "/mean");
  const bool unset = !mean.empty() && std::all_of(mean.begin(), mean.end(), [](float one) { return one == 0; });
  return unset ? Normalisation::none : Normalisation::imagenet;
}

// What nobody misses when it is left over.
bool is_accessory(const std::string& name) {
  constexpr std::array endings = {".num_batches_tracked", "/mean", "/variance", "/count"};
  return is_optimizer_state(name) ||
         std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

// The tensors of a file under the network's names and in PyTorch's layouts.
struct Renamed {
  TensorFile file;
  std::map<std::string, std::string> names;  // by the network's own
  std::vector<std::string> left_over;
};

Renamed renamed(const Source& source, const std::string& model, const Backbone& part, Graph& graph) {
  // One of our own files of the whole network has its very names.
  const bool whole = part.prefix.empty() || (source.saved && source.saved->model == model);
  const std::string published = part.prefix.empty() ? model : part.model;
  const std::vector<LayerNames> layers = layer_names(published);
  if (source.origin == Origin::keras && layers.empty()) {
    fail("weights: ", source.file.source.string(), " is Keras', who has no ", published);
  }
  const std::string prefix = part.prefix.empty() ? "" : part.prefix + ".";
  const std::string inside = part.inside.empty() ? "" : part.inside + ".";

  Renamed result;
  result.file.source = source.file.source;
  std::set<std::string> used;
  for (Value value : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
    if (record.name.rfind(prefix, 0) != 0) {
      continue;
    }
    const std::string local = whole ? record.name : inside + record.name.substr(prefix.size());
    const std::vector<std::string> names =
        source.origin == Origin::keras ? names_in_keras(layers, local) : names_in_safetensors(layers, local);
    if (names.empty()) {
      continue;
    }
    const auto found =
        std::find_if(names.begin(), names.end(), [&](const std::string& name) { return source.file.contains(name); });
    const std::string& name = found == names.end() ? names.front() : *found;
    result.names.emplace(record.name, name);
    if (found == names.end()) {
      continue;
    }
    Tensor tensor = source.file.at(name);
    const Shape& expected = record.type.shape;
    if (source.origin == Origin::keras && expected.rank() == 5 && tensor.shape().rank() == 2 &&
        tensor.shape()[0] == expected[0] && tensor.size() == expected.size()) {
      tensor = to_torch_layout(tensor.reshaped(expected));  // its inputs are a map flattened as it lies, H,W,C
    }
    result.file.tensors.emplace(record.name, tensor);
    used.insert(name);
  }
  for (const auto& [name, tensor] : source.file.tensors) {
    if (used.count(name) == 0 && !is_accessory(name)) {
      result.left_over.push_back(name);
    }
  }
  return result;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t most = 6;
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > most ? text + ", …" : text;
}

}  // namespace

Pretrained::Pretrained(const std::string& model, const std::string& weights) : model_(model) {
  const std::vector<Backbone>& backbones = find_model(model).backbones;
  const auto named_part = [&](const std::string& text) {
    return std::find_if(backbones.begin(), backbones.end(),
                        [&](const Backbone& one) { return text.rfind(one.prefix + "=", 0) == 0; });
  };
  if (named_part(weights) == backbones.end()) {
    parts_.push_back({{}, weights_path(weights)});
  } else {
    for (size_t begin = 0; begin <= weights.size();) {
      const size_t end = std::min(weights.find(',', begin), weights.size());
      const std::string text = weights.substr(begin, end - begin);
      const auto part = named_part(text);
      if (part == backbones.end()) {
        fail("--weights: '", text, "' is no part of ", model, " and its file; ",
             comma_list(backbones, [](const Backbone& one) { return one.prefix + "=FILE"; }), " are");
      }
      parts_.push_back({*part, weights_path(text.substr(part->prefix.size() + 1))});
      begin = end + 1;
    }
  }
  for (const Part& part : parts_) {
    check_format(part.file);
  }
}

std::optional<Convention> Pretrained::convention() const {
  std::optional<Convention> known;
  for (const Part& part : parts_) {
    std::optional<Convention> own;
    if (is_hdf5(part.file)) {
      own = Convention::keras;
    } else if (const TensorFile file = read_safetensors(part.file); file.metadata.count("model") != 0) {
      own = saved_model(file).options.convention;
    }
    if (own && known && *own != *known) {
      fail("--weights: ", part.file.string(), " follows the convention ", name_of_choice(*own), ", another file ",
           name_of_choice(*known));
    }
    known = own ? own : known;
  }
  return known;
}

std::vector<std::string> Pretrained::load(const ModelOptions& options, bool partial, const Network& network) const {
  const std::optional<Convention> theirs = convention();
  if (theirs && *theirs != options.convention) {
    fail("--weights: ", parts_.front().file.string(), " follows the convention ", name_of_choice(*theirs),
         ", the network ", name_of_choice(options.convention), "; give --convention ", name_of_choice(*theirs));
  }
  const std::string& head = find_model(model_).head;
  std::vector<std::string> notes;
  Graph graph;
  network.make(graph);
  for (const Part& part : parts_) {
    const Source source = open_source(part.file);
    const Backbone& backbone = part.backbone;
    const Renamed own = renamed(source, model_, backbone, graph);
    const std::string prefix = backbone.prefix.empty() ? "" : backbone.prefix + ".";
    LoadOptions load_options{.partial = partial, .prefix = prefix, .names_in_file = own.names};
    for (std::string& note : load_weights(own.file, graph, head, *network.variables, load_options)) {
      notes.push_back(part.file.string() + ": " + note);
    }
    if (!own.left_over.empty()) {
      notes.push_back(part.file.string() + ": " + std::to_string(own.left_over.size()) +
                      " tensors have no place in the network: " + listed(own.left_over));
    }
    const std::string published = backbone.prefix.empty() ? model_ : backbone.model;
    const bool known = source.origin == Origin::ours || !layer_names(published).empty();
    const Normalisation wanted = expected_normalisation(source, published);
    if (known && options.channels == 3 && wanted != options.normalisation) {
      notes.push_back(part.file.string() + ": was trained with --normalise " + std::string(name_of_choice(wanted)) +
                      ", this network has " + std::string(name_of_choice(options.normalisation)));
    }
  }
  return notes;
}

}  // namespace fer
