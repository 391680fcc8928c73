#include "analysis/onnx_passes.h"

#include <algorithm>

#include "layers/weights.h"

namespace fer {

namespace {

bool is_variable(const Program& program, int id) {
  return program.values[static_cast<size_t>(id)].kind == ValueKind::variable;
}

// The results of one operation.
std::vector<Tensor> computed(const Program& program, const Node& node, const std::map<std::string, Tensor>& tensors) {
  std::vector<ValueType> input_types, output_types;
  std::vector<AnyView> inputs, outputs;
  std::vector<Tensor> results;
  for (int id : node.inputs) {
    const ValueRecord& record = program.values[static_cast<size_t>(id)];
    input_types.push_back(record.type);
    inputs.push_back(tensors.at(record.name).view());
  }
  for (int id : node.outputs) {
    output_types.push_back(program.values[static_cast<size_t>(id)].type);
    results.emplace_back(output_types.back().dtype, output_types.back().shape);
    outputs.push_back(results.back().view());
  }
  const Kernel kernel = node.operation->prepare(input_types, output_types, {});
  Tensor workspace(DType::u8, {kernel.workspace_bytes});
  kernel.run({}, inputs, outputs, static_cast<std::byte*>(workspace.view().data));
  return results;
}

}  // namespace

void evaluate_constants(Program& program, std::map<std::string, Tensor>& tensors, int64_t batch) {
  const std::vector<std::vector<int>> readers = program.readers();
  std::vector<Node> kept;
  for (Node& node : program.nodes) {
    if (!std::all_of(node.inputs.begin(), node.inputs.end(), [&](int id) { return is_variable(program, id); })) {
      kept.push_back(std::move(node));
      continue;
    }
    const std::string operation = node.operation->name();
    std::vector<Tensor> results;
    std::string name = operation + "_" + std::to_string(node.outputs[0]);
    if (node.operation->is_view()) {
      const std::string& source = program.values[static_cast<size_t>(node.inputs[0])].name;
      results = {tensors.at(source).reshaped(program.values[static_cast<size_t>(node.outputs[0])].type.shape)};
      if (readers[static_cast<size_t>(node.inputs[0])].size() == 1) {
        name = source;
      }
    } else {
      results = computed(program, node, tensors);
    }
    for (size_t i = 0; i < results.size(); ++i) {
      ValueRecord& record = program.values[static_cast<size_t>(node.outputs[i])];
      if (node.inputs.empty() && record.type.shape.rank() > 0 && record.type.shape[0] == batch) {
        fail("onnx: ", operation, node.scope.empty() ? "" : " in " + node.scope,
             " cannot be written: its first extent is the batch, which must be a fixed one");
      }
      record.kind = ValueKind::variable;
      record.name = i == 0 ? name : name + "_" + std::to_string(i);
      tensors[record.name] = results[i];
    }
  }
  program.nodes = std::move(kept);
}

void flatten_channels_first(Program& program, std::map<std::string, Tensor>& tensors) {
  const std::vector<std::vector<int>> readers = program.readers();
  const std::vector<int> producers = program.producers();
  for (Node& node : program.nodes) {
    if (node.operation->name() != "linear" || producers[static_cast<size_t>(node.inputs[0])] < 0) {
      continue;
    }
    const Node& flattening = program.nodes[static_cast<size_t>(producers[static_cast<size_t>(node.inputs[0])])];
    if (flattening.operation->name() != "reshape" || !is_variable(program, node.inputs[1]) ||
        readers[static_cast<size_t>(node.inputs[1])].size() != 1) {
      continue;
    }
    const Shape& map = program.values[static_cast<size_t>(flattening.inputs[0])].type.shape;
    Tensor& weight = tensors.at(program.values[static_cast<size_t>(node.inputs[1])].name);
    const int64_t out = weight.shape()[0];
    if (map.rank() == 4 && map[1] * map[2] * map[3] == weight.shape()[1]) {
      weight = to_torch_layout(weight.reshaped({out, 1, map[1], map[2], map[3]}));
      node.inputs[0] = flattening.inputs[0];
    }
  }
  drop_dead_nodes(program);
}

}  // namespace fer
