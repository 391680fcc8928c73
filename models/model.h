// The networks by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/module.h"

namespace fer {

struct ModelOptions {
  int64_t classes = 7;
  int64_t size = 0;      // side of the square input; 0: the network's own
  int64_t channels = 0;  // of the input the network sees; 0: its own. Grey images are replicated to three
  double dropout = -1;   // rate of the network's dropout layers; negative: the paper's
  double batch_norm_momentum =
      -1;  // PyTorch's convention; negative: the network's own (Keras' 0.01 in papers 003, 004)
  DType dtype = DType::f32;
};

// `own`, with the momentum that the options ask for.
BatchNormParams batch_norm_params(BatchNormParams own, const ModelOptions& options);

// What a network's file defines: layers over [N,size,size,channels], pixels in [0,1], to logits [N,classes].
using NetworkFactory = std::unique_ptr<Module> (*)(Scope scope, const ModelOptions& options);

struct ModelEntry {
  std::string name;
  std::string source;  // the paper and section it comes from
  int64_t size;        // default input
  int64_t channels;
  std::string head;  // prefix of the classifier's parameters: what --freeze backbone leaves trainable
  NetworkFactory make;
};

// Every network, in the order `fer models` prints.
const std::vector<ModelEntry>& models();

// Throws naming every network when there is none called `name`.
const ModelEntry& find_model(std::string_view name);

// `options` with the network's defaults in place of zeros.
ModelOptions resolve(const ModelEntry& entry, ModelOptions options);

// The network behind a resampling of its input: images of any size and of one channel are resized bilinearly to the
// network's size and replicated to its channels inside the graph, so that attacks differentiate through both.
std::unique_ptr<Module> make_model(std::string_view name, Graph& graph, const ModelOptions& options = {});

struct ParameterCount {
  int64_t total = 0;  // Keras-style: running statistics counted
  int64_t trainable = 0;
};
ParameterCount count_parameters(std::string_view name, const ModelOptions& options = {});

}  // namespace fer
