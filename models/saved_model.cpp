#include "models/saved_model.h"

#include <nlohmann/json.hpp>

#include "layers/weights.h"

namespace fer {

std::map<std::string, std::string> to_metadata(const SavedModel& saved) {
  const nlohmann::json options = {{"classes", saved.options.classes},
                                  {"size", saved.options.size},
                                  {"channels", saved.options.channels},
                                  {"dropout", saved.options.dropout},
                                  {"drop_path", saved.options.drop_path},
                                  {"batch_norm_momentum", saved.options.batch_norm_momentum},
                                  {"convention", name_of_choice(saved.options.convention)},
                                  {"normalise", name_of_choice(saved.options.normalisation)},
                                  {"head", name_of_choice(saved.options.head)},
                                  {"without", saved.options.without}};
  return {{"format", "ferrotype"},
          {"model", saved.model},
          {"options", options.dump()},
          {"classes", nlohmann::json(saved.classes).dump()}};
}

SavedModel saved_model(const TensorFile& file) {
  const auto& metadata = file.metadata;
  if (metadata.count("model") == 0 || metadata.count("options") == 0 || metadata.count("classes") == 0) {
    fail("weights: ", file.source.string(), " does not name its model: it was not written by fer");
  }
  try {
    const auto options = nlohmann::json::parse(metadata.at("options"));
    SavedModel saved;
    saved.model = metadata.at("model");
    options.at("classes").get_to(saved.options.classes);
    options.at("size").get_to(saved.options.size);
    options.at("channels").get_to(saved.options.channels);
    options.at("dropout").get_to(saved.options.dropout);
    options.at("drop_path").get_to(saved.options.drop_path);
    options.at("batch_norm_momentum").get_to(saved.options.batch_norm_momentum);
    saved.options.convention = choice_from<Convention>(options.at("convention").get<std::string>());
    saved.options.normalisation = choice_from<Normalisation>(options.at("normalise").get<std::string>());
    saved.options.head = choice_from<Head>(options.at("head").get<std::string>());
    options.at("without").get_to(saved.options.without);
    nlohmann::json::parse(metadata.at("classes")).get_to(saved.classes);
    return saved;
  } catch (const nlohmann::json::exception& error) {
    fail("weights: ", file.source.string(), ": metadata is damaged: ", error.what());
  }
}

Network make_network(const std::string& model, const ModelOptions& options, uint64_t seed, Device device,
                     Precision precision) {
  const ModelOptions resolved = resolve(find_model(model), options);
  Network network;
  network.make = [model, resolved](Graph& graph) { return make_model(model, graph, resolved); };
  const std::shared_ptr<Accelerator> accelerator = accelerator_for(device);
  network.variables = std::make_shared<Variables>(seed, accelerator);
  network.arena = std::make_shared<Arena>(accelerator);
  network.device = device;
  network.precision = precision;
  network.classes = resolved.classes;
  return network;
}

std::filesystem::path weights_path(const std::filesystem::path& run_or_file) {
  return std::filesystem::is_directory(run_or_file) ? run_or_file / "best.safetensors" : run_or_file;
}

LoadedNetwork load_network(const std::filesystem::path& run_or_file, Device device, Precision precision) {
  LoadedNetwork loaded;
  loaded.file = weights_path(run_or_file);
  const TensorFile file = read_safetensors(loaded.file);
  loaded.saved = saved_model(file);
  loaded.network = make_network(loaded.saved.model, loaded.saved.options, 0, device, precision);
  Graph graph;
  loaded.network.make(graph);
  load_weights(file, graph, find_model(loaded.saved.model).head, *loaded.network.variables, {.replace_head = false});
  return loaded;
}

}  // namespace fer
