#include "models/model.h"

namespace fer {

namespace {

class ResampledNetwork : public Module {
 public:
  ResampledNetwork(std::unique_ptr<Module> network, const ModelOptions& options, std::string name)
      : network_(std::move(network)), options_(options), name_(std::move(name)) {}

  Value forward(Value x, Mode mode) override {
    const Shape& shape = x.shape();
    if (shape.rank() != 4) {
      fail(name_, ": expects images [N,H,W,C], was given ", shape);
    }
    if (shape[1] != options_.size || shape[2] != options_.size) {
      x = resize_bilinear(x, options_.size, options_.size);
    }
    if (shape[3] == 1 && options_.channels != 1) {
      x = replicate_channels(x, options_.channels);
    } else if (shape[3] != options_.channels) {
      fail(name_, ": expects images of ", options_.channels, " channels (or grey ones), was given ", shape);
    }
    return network_->forward(x, mode);
  }

 private:
  std::unique_ptr<Module> network_;
  ModelOptions options_;
  std::string name_;
};

}  // namespace

const ModelEntry& find_model(std::string_view name) {
  std::string known;
  for (const ModelEntry& entry : models()) {
    if (entry.name == name) {
      return entry;
    }
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  fail("model: '", name, "' is none of ", known);
}

BatchNormParams batch_norm_params(BatchNormParams own, const ModelOptions& options) {
  if (options.batch_norm_momentum >= 0) {
    own.momentum = options.batch_norm_momentum;
  }
  return own;
}

ModelOptions resolve(const ModelEntry& entry, ModelOptions options) {
  options.size = options.size == 0 ? entry.size : options.size;
  options.channels = options.channels == 0 ? entry.channels : options.channels;
  if (options.classes < 1 || options.size < 1 || options.channels < 1) {
    fail("model ", entry.name, ": classes, size and channels must be positive, not ", options.classes, ", ",
         options.size, ", ", options.channels);
  }
  if (options.dropout >= 1) {
    fail("model ", entry.name, ": dropout rate ", options.dropout, " is not below 1");
  }
  if (options.batch_norm_momentum > 1) {
    fail("model ", entry.name, ": batch-norm momentum ", options.batch_norm_momentum, " is above 1");
  }
  return options;
}

std::unique_ptr<Module> make_model(std::string_view name, Graph& graph, const ModelOptions& options) {
  const ModelEntry& entry = find_model(name);
  const ModelOptions resolved = resolve(entry, options);
  return std::make_unique<ResampledNetwork>(entry.make(Scope(graph, "", resolved.dtype), resolved), resolved,
                                            entry.name);
}

ParameterCount count_parameters(std::string_view name, const ModelOptions& options) {
  Graph graph;
  make_model(name, graph, options);
  ParameterCount count;
  for (Value value : graph.variables()) {
    count.total += value.shape().size();
  }
  for (Value value : graph.trainable()) {
    count.trainable += value.shape().size();
  }
  return count;
}

}  // namespace fer
