// Reverse-mode differentiation on the recorded graph: one pass over the nodes, last to first.
#include "autograd/graph.h"
#include "autograd/ops.h"

namespace fer {

namespace {

// For every value: does it depend on one of `wrt`?
std::vector<bool> dependents(const Graph& graph, std::span<const Value> wrt) {
  std::vector<bool> depends(graph.values().size(), false);
  for (Value value : wrt) {
    depends[static_cast<size_t>(value.id())] = true;
  }
  for (const Node& node : graph.nodes()) {
    for (int input : node.inputs) {
      if (depends[static_cast<size_t>(input)]) {
        for (int output : node.outputs) {
          depends[static_cast<size_t>(output)] = true;
        }
      }
    }
  }
  return depends;
}

}  // namespace

std::vector<Value> gradients(Value of, std::span<const Value> wrt, Value cotangent) {
  Graph& graph = of.graph();
  if (!cotangent.valid()) {
    if (of.shape().size() != 1) {
      fail("gradients: ", of.type(), " is not a scalar; give its cotangent");
    }
    cotangent = constant(graph, of.type(), 1.0);
  } else if (cotangent.type() != of.type()) {
    fail("gradients: the cotangent is ", cotangent.type(), ", the value ", of.type());
  }

  const Restore phase(graph.phase, graph.phase == Phase::attack ? Phase::attack : Phase::backward);
  const std::vector<bool> depends = dependents(graph, wrt);
  std::vector<Value> total(graph.values().size());
  total[static_cast<size_t>(of.id())] = cotangent;

  const int last = graph.values()[static_cast<size_t>(of.id())].producer;
  for (int index = last; index >= 0; --index) {
    const Node node = graph.nodes()[static_cast<size_t>(index)];  // a copy: recording below moves the originals
    std::vector<Value> inputs, outputs, output_gradients;
    std::vector<bool> needed;
    bool reached = false;
    bool wanted = false;
    for (int id : node.outputs) {
      outputs.emplace_back(&graph, id);
      output_gradients.push_back(total[static_cast<size_t>(id)]);
      reached = reached || output_gradients.back().valid();
    }
    for (int id : node.inputs) {
      inputs.emplace_back(&graph, id);
      needed.push_back(depends[static_cast<size_t>(id)]);
      wanted = wanted || needed.back();
    }
    if (!reached || !wanted) {
      continue;
    }
    const Restore scope(graph.scope, node.scope);
    const std::vector<Value> input_gradients =
        node.operation->gradient(graph, {inputs, outputs, output_gradients, needed});
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (needed[i] && i < input_gradients.size() && input_gradients[i].valid()) {
        if (input_gradients[i].type() != inputs[i].type()) {
          fail(node.operation->name(), ": gradient of input ", i, " is ", input_gradients[i].type(), ", the input ",
               inputs[i].type());
        }
        Value& sum = total[static_cast<size_t>(inputs[i].id())];
        sum = sum.valid() ? add(sum, input_gradients[i]) : input_gradients[i];
      }
    }
  }

  std::vector<Value> result;
  for (Value value : wrt) {
    const Value gradient = total[static_cast<size_t>(value.id())];
    if (!gradient.valid()) {
      fail("gradients: the result does not depend on '", graph.values()[static_cast<size_t>(value.id())].name, "' (",
           value.type(), ")");
    }
    result.push_back(gradient);
  }
  return result;
}

}  // namespace fer
