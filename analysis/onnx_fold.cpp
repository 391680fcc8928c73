#include "analysis/onnx_passes.h"
#include "kernels/fold_batch_norm.h"

namespace fer {

namespace {

class Folding {
 public:
  Folding(Program& program, std::map<std::string, Tensor>& tensors)
      : program_(program), tensors_(tensors), readers_(program.readers()), producers_(program.producers()) {}

  // Whether batch-norm `node` was joined to the convolution before it, whose node now makes its result.
  bool fold(const Node& node) {
    const int made_by = producers_[static_cast<size_t>(node.inputs[0])];
    if (node.operation->name() != "batch_norm_inference" || made_by < 0) {
      return false;
    }
    Node& convolution = program_.nodes[static_cast<size_t>(made_by)];
    const std::string kind = convolution.operation->name();
    if ((kind != "conv2d" && kind != "depthwise_conv2d") || program_.is_output(node.inputs[0]) ||
        !read_once(node.inputs[0])) {
      return false;
    }
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (!is_variable(node.inputs[i])) {
        return false;
      }
    }
    for (size_t i = 1; i < convolution.inputs.size(); ++i) {
      if (!is_variable(convolution.inputs[i]) || !read_once(convolution.inputs[i])) {
        return false;
      }
    }
    return join(convolution, node);
  }

 private:
  const ValueRecord& value(int id) const { return program_.values[static_cast<size_t>(id)]; }
  bool is_variable(int id) const { return value(id).kind == ValueKind::variable; }
  bool read_once(int id) const { return readers_[static_cast<size_t>(id)].size() == 1; }
  Tensor& tensor(int id) { return tensors_.at(value(id).name); }

  bool join(Node& convolution, const Node& norm) {
    const Shape channels = value(norm.inputs[1]).type.shape;
    if (convolution.inputs.size() == 2 && !add_bias(convolution, channels)) {
      return false;
    }
    const double epsilon = norm.operation->attributes().at("epsilon");
    const auto given = [&](const Node& node, size_t i) { return tensor(node.inputs[i]).as<const float>(); };
    Tensor weight = tensor(convolution.inputs[1]).clone(), bias = tensor(convolution.inputs[2]).clone();
    fold_batch_norm(epsilon, given(convolution, 1), given(convolution, 2), given(norm, 1), given(norm, 2),
                    given(norm, 3), given(norm, 4), weight.as<float>(), bias.as<float>());
    tensor(convolution.inputs[1]) = weight;
    tensor(convolution.inputs[2]) = bias;
    convolution.outputs[0] = norm.outputs[0];
    return true;
  }

  // Gives the convolution a bias of zeros, named "….bias" beside "….weight"; false when that name is taken.
  bool add_bias(Node& convolution, const Shape& channels) {
    ValueRecord bias;
    bias.kind = ValueKind::variable;
    bias.type = {DType::f32, channels};
    const std::string weight = value(convolution.inputs[1]).name;
    bias.name = weight.substr(0, weight.rfind('.') + 1) + "bias";
    if (!tensors_.emplace(bias.name, Tensor(DType::f32, channels)).second) {
      return false;
    }
    convolution.inputs.push_back(static_cast<int>(program_.values.size()));
    program_.values.push_back(bias);
    return true;
  }

  Program& program_;
  std::map<std::string, Tensor>& tensors_;
  const std::vector<std::vector<int>> readers_;  // as before the first joining: enough, since each joins a pair
  const std::vector<int> producers_;
};

}  // namespace

int fold_batch_norms(Program& program, std::map<std::string, Tensor>& tensors) {
  Folding folding(program, tensors);
  std::vector<bool> gone;
  for (const Node& node : program.nodes) {
    gone.push_back(folding.fold(node));
  }
  std::vector<Node> kept;
  for (size_t i = 0; i < gone.size(); ++i) {
    if (!gone[i]) {
      kept.push_back(std::move(program.nodes[i]));
    }
  }
  program.nodes = std::move(kept);
  return static_cast<int>(gone.size() - program.nodes.size());
}

}  // namespace fer
