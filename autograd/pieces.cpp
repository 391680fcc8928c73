#include "kernels/pieces.h"

#include <algorithm>
#include <map>

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/concat.h"
#include "autograd/program.h"

namespace fer {

namespace {

bool is_concat(const Node& node) { return dynamic_cast<const Concat*>(node.operation.get()) != nullptr; }

// Where the node reads `value` and could read its pieces, or -1.
int place_of_pieces(const Node& node, int value) {
  const auto* operation = dynamic_cast<const ReadsPieces*>(node.operation.get());
  const int place = operation == nullptr ? -1 : operation->in_pieces_at();
  return place >= 0 && node.inputs[static_cast<size_t>(place)] == value && std::ranges::count(node.inputs, value) == 1
             ? place
             : -1;
}

}  // namespace

void read_pieces(Program& program) {
  const std::vector<std::vector<int>> readers = program.readers();
  std::map<int, std::vector<int>> pieces;  // of every concatenation, those of its inputs among them
  for (const Node& node : program.nodes) {
    if (is_concat(node)) {
      std::vector<int> all;
      for (int input : node.inputs) {
        const auto nested = pieces.find(input);
        all.insert(all.end(), nested == pieces.end() ? &input : nested->second.data(),
                   nested == pieces.end() ? &input + 1 : nested->second.data() + nested->second.size());
      }
      pieces.emplace(node.outputs[0], std::move(all));
    }
  }
  // Backwards, so that whoever concatenates a concatenation has been looked at.
  for (auto node = program.nodes.rbegin(); node != program.nodes.rend(); ++node) {
    const int value = node->outputs.empty() ? -1 : node->outputs[0];
    const auto found = pieces.find(value);
    if (found == pieces.end()) {
      continue;
    }
    const auto& reading = readers[static_cast<size_t>(value)];
    const bool apart =
        !program.is_output(value) && found->second.size() <= Pieces<float>::most &&
        std::ranges::all_of(reading, [&](int reader) {
          const Node& other = program.nodes[static_cast<size_t>(reader)];
          return place_of_pieces(other, value) >= 0 || (is_concat(other) && pieces.contains(other.outputs[0]));
        });
    if (!apart) {
      pieces.erase(found);
    }
  }
  for (Node& node : program.nodes) {
    for (const int value : std::vector<int>(node.inputs)) {
      const auto found = pieces.find(value);
      const int place = found == pieces.end() ? -1 : place_of_pieces(node, value);
      if (place >= 0) {
        const std::vector<int>& all = found->second;
        node.operation = dynamic_cast<const ReadsPieces&>(*node.operation).in_pieces(static_cast<int>(all.size()) - 1);
        node.inputs[static_cast<size_t>(place)] = all[0];
        node.inputs.insert(node.inputs.end(), all.begin() + 1, all.end());
      }
    }
  }
}

}  // namespace fer
