#include "models/model.h"

#include <algorithm>

namespace fer {

namespace {

// A row of constants, one a channel.
Value channel_constants(Graph& graph, DType dtype, const std::array<double, 3>& values) {
  const auto one = [&](double value) { return constant(graph, {dtype, {1}}, value); };
  return concat(std::array{one(values[0]), one(values[1]), one(values[2])});
}

// (x - mean) / deviation of each channel.
Value standardised(Value x, const std::array<double, 3>& mean, std::array<double, 3> deviation) {
  const auto constants = [&](const std::array<double, 3>& values) {
    return channel_constants(x.graph(), x.dtype(), values);
  };
  for (double& one : deviation) {
    one *= one;
  }
  return batch_norm(x, constants({1, 1, 1}), constants({0, 0, 0}), constants(mean), constants(deviation), {0, 0},
                    false);
}

std::vector<ModelEntry>& registry() {
  static std::vector<ModelEntry> entries;
  return entries;
}

constexpr std::array convention_names = {"torchvision", "keras"};
constexpr std::array normalisation_names = {"own", "none", "imagenet", "symmetric", "caffe"};
constexpr std::array head_names = {"paper", "published"};

const auto& names_of(Convention) { return convention_names; }
const auto& names_of(Normalisation) { return normalisation_names; }
const auto& names_of(Head) { return head_names; }

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
    return network_->forward(normalised(x, options_.normalisation), mode);
  }

 private:
  std::unique_ptr<Module> network_;
  ModelOptions options_;
  std::string name_;
};

}  // namespace

RegisterModel::RegisterModel(ModelEntry entry) {
  std::vector<ModelEntry>& all = registry();
  const auto place = std::lower_bound(all.begin(), all.end(), entry,
                                      [](const ModelEntry& a, const ModelEntry& b) { return a.name < b.name; });
  if (place != all.end() && place->name == entry.name) {
    fail("models: there are two called ", entry.name);
  }
  all.insert(place, std::move(entry));
}

const std::vector<ModelEntry>& models() { return registry(); }

Value normalised(Value x, Normalisation normalisation) {
  switch (normalisation) {
    case Normalisation::imagenet:
      return standardised(x, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225});
    case Normalisation::symmetric:
      return standardised(x, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5});
    case Normalisation::caffe: {
      const Value bgr = concat(std::vector{slice_channels(x, 2, 1), slice_channels(x, 1, 1), slice_channels(x, 0, 1)});
      constexpr double unit = 1.0 / 255;
      return standardised(bgr, {103.939 * unit, 116.779 * unit, 123.68 * unit}, {unit, unit, unit});
    }
    case Normalisation::own:
    case Normalisation::none:
      return x;
  }
  return x;
}

const ModelEntry& find_model(std::string_view name) {
  for (const ModelEntry& entry : models()) {
    if (entry.name == name) {
      return entry;
    }
  }
  fail("model: '", name, "' is none of ", comma_list(models(), &ModelEntry::name));
}

bool ModelOptions::has(std::string_view part) const {
  return std::find(without.begin(), without.end(), part) == without.end();
}

template <class Choice>
std::string_view name_of_choice(Choice choice) {
  return names_of(choice)[static_cast<size_t>(choice)];
}

template <class Choice>
Choice choice_from(std::string_view name) {
  const auto& names = names_of(Choice{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) {
      return static_cast<Choice>(i);
    }
  }
  fail("model: '", name, "' is none of ", comma_list(names));
}

template std::string_view name_of_choice(Convention);
template std::string_view name_of_choice(Normalisation);
template std::string_view name_of_choice(Head);
template Convention choice_from(std::string_view);
template Normalisation choice_from(std::string_view);
template Head choice_from(std::string_view);

BatchNormParams batch_norm_params(const ModelOptions& options, BatchNormParams torchvision, BatchNormParams keras) {
  BatchNormParams params = options.convention == Convention::keras ? keras : torchvision;
  if (options.batch_norm_momentum >= 0) {
    params.momentum = options.batch_norm_momentum;
  }
  return params;
}

ConvOptions padded(int64_t kernel, int64_t stride, const ModelOptions& options) {
  return {.kernel = kernel,
          .stride = stride,
          .padding = kernel / 2,
          .same = options.convention == Convention::keras,
          .bias = false};
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
  if (options.drop_path >= 1) {
    fail("model ", entry.name, ": drop-path rate ", options.drop_path, " is not below 1");
  }
  if (options.normalisation == Normalisation::own) {
    options.normalisation = options.channels == 3 ? entry.normalisation : Normalisation::none;
  }
  if (options.normalisation != Normalisation::none && options.channels != 3) {
    fail("model ", entry.name, ": normalisation ", name_of_choice(options.normalisation), " is for 3 channels, not ",
         options.channels);
  }
  for (const std::string& part : options.without) {
    if (std::find(entry.parts.begin(), entry.parts.end(), part) == entry.parts.end()) {
      fail("model ", entry.name, ": there is no part '", part, "' to leave out; ",
           entry.parts.empty() ? "it has none that can be" : "it has " + comma_list(entry.parts));
    }
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
  if (resolve(find_model(name), options).normalisation == Normalisation::imagenet) {
    count.total += 3 + 3 + 1;
  }
  for (Value value : graph.variables()) {
    count.total += value.shape().size();
  }
  for (Value value : graph.trainable()) {
    count.trainable += value.shape().size();
  }
  return count;
}

}  // namespace fer
