// The networks by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/layers.h"

namespace fer {

// Whose definition of a network that both libraries publish. keras: TensorFlow's 'same' padding, its batch-norm
// constants, and ResNet50 with biases and its stride on the first 1x1 convolution. timm's tf_* networks are keras too.
enum class Convention { torchvision, keras };

// What happens to pixels in [0,1] in front of the first layer. imagenet: (x - mean) / std of ImageNet's channels;
// symmetric: 2 x - 1; caffe: 255 x minus ImageNet's mean, channels in BGR order.
enum class Normalisation { own, none, imagenet, symmetric, caffe };

// paper: the classifier that the paper puts on the backbone. published: the one the network was published with.
enum class Head { paper, published };

struct ModelOptions {
  int64_t classes = 7;
  int64_t size = 0;                 // side of the square input; 0: the network's own
  int64_t channels = 0;             // of the input the network sees; 0: its own. Grey images are replicated to three
  double dropout = -1;              // rate of the network's dropout layers; negative: the paper's
  double drop_path = -1;            // stochastic depth's rate at the last block; negative: the network's own
  double batch_norm_momentum = -1;  // PyTorch's convention; negative: the network's own (0.01 in papers 003, 004)
  Convention convention = Convention::torchvision;
  Normalisation normalisation = Normalisation::own;
  Head head = Head::paper;
  std::vector<std::string> without = {};  // parts left out, for ablations: of ModelEntry::parts
  DType dtype = DType::f32;

  bool has(std::string_view part) const;
};

// The names of the choices above, as on the command line. The second throws, naming what there is.
template <class Choice>
std::string_view name_of_choice(Choice choice);
template <class Choice>
Choice choice_from(std::string_view name);

// x [N,H,W,3], pixels in [0,1].
Value normalised(Value x, Normalisation normalisation);

// A batch-norm's constants under the options: epsilon and momentum of torchvision's, or of Keras' definition
// (`keras`), with the momentum that the options ask for.
BatchNormParams batch_norm_params(const ModelOptions& options, BatchNormParams torchvision = {},
                                  BatchNormParams keras = {1e-3, 0.01});

// A convolution without bias that keeps the size but for its stride: padding on both sides, or Keras' 'same'.
ConvOptions padded(int64_t kernel, int64_t stride, const ModelOptions& options);

// What a network's file defines: layers over [N,size,size,channels], pixels in [0,1], to logits [N,classes].
using NetworkFactory = std::unique_ptr<Module> (*)(Scope scope, const ModelOptions& options);

// A part of a network that is another network without its classifier, whose weights files fill it.
struct Backbone {
  std::string prefix;  // of the part's variables: "densenet"
  std::string model;   // "densenet121"
  std::string inside;  // what the prefix stands for in that network: "features", or "" for all of it
};

struct ModelEntry {
  std::string name;
  std::string source;  // the paper and section it comes from
  int64_t size;        // default input
  int64_t channels;
  std::string head;  // prefix of the classifier's parameters: what --freeze backbone leaves trainable
  NetworkFactory make;
  std::vector<std::string> parts = {};  // what --without may leave out
  Normalisation normalisation = Normalisation::none;
  std::vector<Backbone> backbones = {};
};

// Adds a network to models() at start-up: one such object stands in the network's file, and that is all it takes.
// Throws when the name is taken.
struct RegisterModel {
  RegisterModel(ModelEntry entry);
};

// The factory of a network that is constructed from (Scope, const ModelOptions&).
template <class Network>
std::unique_ptr<Module> construct(Scope scope, const ModelOptions& options) {
  return std::make_unique<Network>(scope, options);
}

// Every network, by name.
const std::vector<ModelEntry>& models();

// Throws naming every network when there is none called `name`.
const ModelEntry& find_model(std::string_view name);

// `options` with the network's defaults in place of zeros.
ModelOptions resolve(const ModelEntry& entry, ModelOptions options);

// The network behind a resampling of its input: images of any size and of one channel are resized bilinearly to the
// network's size and replicated to its channels inside the graph, so that attacks differentiate through both.
std::unique_ptr<Module> make_model(std::string_view name, Graph& graph, const ModelOptions& options = {});

struct ParameterCount {
  int64_t total = 0;  // Keras-style: running statistics counted, and ImageNet normalisation's mean, variance and count
  int64_t trainable = 0;
};
ParameterCount count_parameters(std::string_view name, const ModelOptions& options = {});

}  // namespace fer
