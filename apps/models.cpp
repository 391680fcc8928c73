// fer models
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/common.h"
#include "autograd/plan.h"

namespace fer {

namespace {

// Multiply-adds of one image's forward pass, doubled.
int64_t flops_per_image(const ModelEntry& entry) {
  Graph graph;
  const Value x = graph.input("images", DType::f32, {1, entry.size, entry.size, entry.channels});
  const Value logits = make_model(entry.name, graph)->forward(x, Mode::evaluation);
  return make_plan(graph, std::vector{logits}).total_cost().flops;
}

nlohmann::json described(const ModelEntry& entry) {
  const ParameterCount count = count_parameters(entry.name);
  return {{"name", entry.name},
          {"source", entry.source},
          {"parameters_total", count.total},
          {"parameters_trainable", count.trainable},
          {"input", {entry.size, entry.size, entry.channels}},
          {"flops_per_image", flops_per_image(entry)},
          {"parts", entry.parts}};
}

// The variables that a node reads, through views of them.
std::vector<int> variables_read(const Graph& graph, const Node& node) {
  std::vector<int> found;
  for (int id : node.inputs) {
    const ValueRecord* value = &graph.values()[static_cast<size_t>(id)];
    while (value->producer >= 0 && graph.nodes()[static_cast<size_t>(value->producer)].operation->is_view()) {
      id = graph.nodes()[static_cast<size_t>(value->producer)].inputs[0];
      value = &graph.values()[static_cast<size_t>(id)];
    }
    if (value->kind == ValueKind::variable) {
      found.push_back(id);
    }
  }
  return found;
}

// One row an operation of the forward pass, as training records it: what it makes of one image and what that takes.
// A variable counts where it is first read.
nlohmann::json layers_of(const std::string& model, const ModelOptions& options) {
  Graph graph;
  const Value x = graph.input("images", DType::f32, {1, options.size, options.size, options.channels});
  make_model(model, graph, options)->forward(x, Mode::training);
  nlohmann::json rows = nlohmann::json::array();
  std::set<int> counted;
  for (const Node& node : graph.nodes()) {
    if (node.operation->is_view() || node.inputs.empty()) {
      continue;
    }
    int64_t parameters = 0;
    for (int id : variables_read(graph, node)) {
      parameters += counted.insert(id).second ? graph.values()[static_cast<size_t>(id)].type.shape.size() : 0;
    }
    const auto types = [&](const std::vector<int>& ids) {
      std::vector<ValueType> all;
      for (int id : ids) {
        all.push_back(graph.values()[static_cast<size_t>(id)].type);
      }
      return all;
    };
    const std::vector<ValueType> inputs = types(node.inputs), outputs = types(node.outputs);
    const auto extents = outputs[0].shape.extents();
    rows.push_back({{"name", node.scope},
                    {"operation", node.operation->name()},
                    {"shape", std::vector<int64_t>(extents.begin() + (extents.empty() ? 0 : 1), extents.end())},
                    {"parameters", parameters},
                    {"flops", node.operation->cost(inputs, outputs).flops},
                    {"activation_bytes", outputs[0].bytes()}});
  }
  return rows;
}

void print_summary(const nlohmann::json& summary) {
  std::printf("%-44s %-24s %-16s %12s %12s %12s\n", "layer", "operation", "output", "parameters", "MFLOP",
              "activation");
  for (const auto& row : summary["layers"]) {
    std::printf("%-44s %-24s %-16s %12ld %12.3f %12s\n", row["name"].get<std::string>().c_str(),
                row["operation"].get<std::string>().c_str(),
                to_string(Shape(row["shape"].get<std::vector<int64_t>>())).c_str(), row["parameters"].get<int64_t>(),
                row["flops"].get<double>() / 1e6, format_bytes(row["activation_bytes"].get<double>()).c_str());
  }
  const auto total = summary["parameters_total"].get<int64_t>();
  const auto trainable = summary["parameters_trainable"].get<int64_t>();
  std::printf("\n%s: %ld parameters, %ld trained, %ld not\n", summary["name"].get<std::string>().c_str(), total,
              trainable, total - trainable);
  std::printf("one image forward, layer by layer: %.1f MFLOP (2 x multiply-adds), %s of activations\n",
              summary["flops_per_image"].get<double>() / 1e6,
              format_bytes(summary["activation_bytes"].get<double>()).c_str());
}

struct ModelsCommand {
  TrainOptions options;
  int64_t classes = 7;
  bool json = false;

  void run() const {
    if (options.model.empty()) {
      list();
    } else {
      summarise();
    }
  }

  void list() const {
    nlohmann::json all = nlohmann::json::array();
    for (const ModelEntry& entry : models()) {
      all.push_back(described(entry));
    }
    if (json) {
      std::cout << nlohmann::json{{"models", all}}.dump(2) << "\n";
      return;
    }
    std::printf("%-16s %14s %14s %12s %14s  %s\n", "model", "parameters", "trainable", "input", "MFLOP/image", "from");
    for (const auto& one : all) {
      const auto input = one["input"].get<std::vector<int64_t>>();
      std::string parts;
      for (const auto& part : one["parts"]) {
        parts += (parts.empty() ? "; --without " : ", ") + part.get<std::string>();
      }
      std::printf("%-16s %14ld %14ld %5ldx%ldx%-3ld %14.1f  %s%s\n", one["name"].get<std::string>().c_str(),
                  one["parameters_total"].get<int64_t>(), one["parameters_trainable"].get<int64_t>(), input[0],
                  input[1], input[2], one["flops_per_image"].get<double>() / 1e6,
                  one["source"].get<std::string>().c_str(), parts.c_str());
    }
  }

  void summarise() const {
    const ModelOptions model = model_options(options, classes);
    const ParameterCount count = count_parameters(options.model, model);
    nlohmann::json summary = {{"name", options.model},
                              {"input", {model.size, model.size, model.channels}},
                              {"classes", classes},
                              {"parameters_total", count.total},
                              {"parameters_trainable", count.trainable},
                              {"layers", layers_of(options.model, model)}};
    for (const char* key : {"flops", "activation_bytes"}) {
      int64_t sum = 0;
      for (const auto& row : summary["layers"]) {
        sum += row[key].get<int64_t>();
      }
      summary[std::string(key) == "flops" ? "flops_per_image" : key] = sum;
    }
    if (json) {
      std::cout << summary.dump(1) << "\n";
    } else {
      print_summary(summary);
    }
  }
};

}  // namespace

void add_models_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("models", "every network: parameters, input, cost; or one of them, layer by layer");
  static ModelsCommand models;
  models.options.model.clear();
  command->add_option("model", models.options.model, "the network whose layers are listed");
  add_network_options(*command, models.options);
  command->add_option("--classes", models.classes, "outputs of the network")->capture_default_str();
  command->add_flag("--json", models.json, "one JSON object on standard output");
  command->callback([] { models.run(); });
}

}  // namespace fer
