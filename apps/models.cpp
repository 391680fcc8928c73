// fer models
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "autograd/plan.h"
#include "models/model.h"

namespace fer {

namespace {

// Multiply-adds of one image's forward pass, doubled.
int64_t flops_per_image(const ModelEntry& entry) {
  Graph graph;
  const Value x = graph.input("images", DType::f32, {1, entry.size, entry.size, entry.channels});
  const Value logits = make_model(entry.name, graph)->forward(x, Mode::evaluation);
  return make_plan(graph, std::vector{logits}).total_cost().flops;
}

}  // namespace

void add_models_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("models", "every network: parameters, input, cost");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "one JSON object on standard output");
  command->callback([json] {
    nlohmann::json list = nlohmann::json::array();
    for (const ModelEntry& entry : models()) {
      const ParameterCount count = count_parameters(entry.name);
      list.push_back({{"name", entry.name},
                      {"source", entry.source},
                      {"parameters_total", count.total},
                      {"parameters_trainable", count.trainable},
                      {"input", {entry.size, entry.size, entry.channels}},
                      {"flops_per_image", flops_per_image(entry)}});
    }
    if (*json) {
      std::cout << nlohmann::json{{"models", list}}.dump(2) << "\n";
      return;
    }
    std::printf("%-16s %14s %14s %12s %14s  %s\n", "model", "parameters", "trainable", "input", "MFLOP/image", "from");
    for (const auto& one : list) {
      const auto input = one["input"].get<std::vector<int64_t>>();
      std::printf("%-16s %14ld %14ld %5ldx%ldx%-3ld %14.1f  %s\n", one["name"].get<std::string>().c_str(),
                  one["parameters_total"].get<int64_t>(), one["parameters_trainable"].get<int64_t>(), input[0],
                  input[1], input[2], one["flops_per_image"].get<double>() / 1e6,
                  one["source"].get<std::string>().c_str());
    }
  });
}

}  // namespace fer
