#include "autograd/program.h"

#include <algorithm>

namespace fer {

std::vector<std::vector<int>> Program::readers() const {
  std::vector<std::vector<int>> result(values.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int input : nodes[i].inputs) {
      result[static_cast<size_t>(input)].push_back(static_cast<int>(i));
    }
  }
  return result;
}

std::vector<int> Program::producers() const {
  std::vector<int> result(values.size(), -1);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int output : nodes[i].outputs) {
      result[static_cast<size_t>(output)] = static_cast<int>(i);
    }
  }
  return result;
}

bool Program::is_output(int value) const { return std::find(outputs.begin(), outputs.end(), value) != outputs.end(); }

std::vector<ValueType> types_of(const std::vector<int>& some, std::span<const ValueRecord> values) {
  std::vector<ValueType> types;
  types.reserve(some.size());
  for (int value : some) {
    types.push_back(values[static_cast<size_t>(value)].type);
  }
  return types;
}

void drop_dead_nodes(Program& program) {
  std::vector<bool> needed(program.values.size(), false);
  for (int output : program.outputs) {
    needed[static_cast<size_t>(output)] = true;
  }
  std::vector<Node> kept;
  for (auto node = program.nodes.rbegin(); node != program.nodes.rend(); ++node) {
    const bool live = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](int output) { return needed[static_cast<size_t>(output)]; });
    if (live) {
      for (int input : node->inputs) {
        needed[static_cast<size_t>(input)] = true;
      }
      kept.push_back(std::move(*node));
    }
  }
  std::reverse(kept.begin(), kept.end());
  program.nodes = std::move(kept);
}

}  // namespace fer
