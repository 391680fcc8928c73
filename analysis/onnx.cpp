#include "analysis/onnx.h"

#include <limits>
#include <set>

#include "analysis/onnx_operations.h"
#include "analysis/onnx_passes.h"
#include "layers/weights.h"

namespace fer {

namespace {

// A batch that no other extent of a network is likely to equal: it stands for any.
constexpr int64_t any_number = 9973;

Program needed_by(Value result) {
  const Graph& graph = result.graph();
  Program program;
  program.nodes = graph.nodes();
  program.values.assign(graph.values().begin(), graph.values().end());
  program.outputs = {result.id()};
  drop_dead_nodes(program);
  return program;
}

// The version of the file format that was current when that of the operations came.
int64_t ir_version(int64_t opset) { return opset < 11 ? 5 : opset < 12 ? 6 : opset < 15 ? 7 : 8; }

class OnnxExport {
 public:
  OnnxExport(Value result, const std::string& name, const Variables& variables, const OnnxOptions& options)
      : name_(name),
        options_(options),
        program_(needed_by(result)),
        writer_(*model_.mutable_graph(), required_opset(program_)) {
    for (const Node& node : program_.nodes) {
      for (int input : node.inputs) {
        const ValueRecord& record = value(input);
        if (record.kind == ValueKind::variable) {
          tensors_.emplace(record.name, variables.at(record.name));
        } else if (record.kind == ValueKind::input && options.any_batch && record.type.shape.rank() > 0) {
          batch_ = record.type.shape[0];
        }
      }
    }
    evaluate_constants(program_, tensors_, batch_);
    flatten_channels_first(program_, tensors_);
    if (options.fold) {
      exported_.folded = fold_batch_norms(program_, tensors_);
    }
  }

  OnnxModel build() {
    names_.resize(program_.values.size());
    for (const Node& node : program_.nodes) {
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        declare(node.inputs[i], reads_filters(node, i));
      }
    }
    for (const Node& node : program_.nodes) {
      convert(node);
    }
    const int result = program_.outputs[0];
    if (names_[static_cast<size_t>(result)] != name_) {
      fail("onnx: the result is not computed from the input, or another value is called '", name_, "'");
    }
    exported_.output = extents(value(result).type.shape);
    writer_.output(name_, exported_.output);
    return finish();
  }

 private:
  const ValueRecord& value(int id) const { return program_.values[static_cast<size_t>(id)]; }

  // As ONNX has them; -1 in place of the batch when that may be any.
  std::vector<int64_t> extents(const Shape& shape) const {
    std::vector<int64_t> result = onnx_extents(shape);
    if (!result.empty() && result[0] == batch_) {
      result[0] = -1;
    }
    return result;
  }

  // Whether input `i` of a node is [kh,kw,C], the one value of rank 3 that ONNX has in another form.
  static bool reads_filters(const Node& node, size_t i) {
    return i == 1 && node.operation->name() == "depthwise_conv2d";
  }

  // Gives an input or a variable its place in the file, once.
  void declare(int id, bool filters) {
    std::string& name = names_[static_cast<size_t>(id)];
    const ValueRecord& record = value(id);
    if (!name.empty() || record.kind == ValueKind::result) {
      return;
    }
    if (record.kind == ValueKind::variable) {
      const Tensor& elements = tensors_.at(record.name);
      exported_.parameters += elements.size();
      name =
          writer_.tensor(record.name, filters || elements.shape().rank() == 4 ? to_torch_layout(elements) : elements);
      if (filters) {
        filters_.insert(id);
      }
      return;
    }
    if (record.kind == ValueKind::resident || !exported_.input.empty() || record.type.shape.rank() == 0) {
      fail("onnx: '", record.name, "' ", record.type, " cannot be an input: there is one, of a batch");
    }
    exported_.input = extents(record.type.shape);
    name = writer_.input(record.name, record.type.dtype, exported_.input);
  }

  void convert(const Node& node) {
    const std::string operation = node.operation->name();
    const std::string own = program_.is_output(node.outputs[0]) ? name_
                            : node.scope.empty()                ? operation
                                                                : node.scope + "/" + operation;
    std::vector<std::string> inputs;
    for (int input : node.inputs) {
      inputs.push_back(names_[static_cast<size_t>(input)]);
    }
    OnnxConversion conversion(writer_, program_, node, inputs, own, batch_);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].empty()) {
        conversion.refuse("it reads a second result of an operation, of which ONNX has the first");
      }
      if ((filters_.count(node.inputs[i]) == 1) != reads_filters(node, i)) {
        conversion.refuse("the filters of a depthwise convolution must be weights that nobody else reads");
      }
    }
    if (value(node.outputs[0]).type.dtype != DType::f32) {
      conversion.refuse("it does not compute in f32");
    }
    names_[static_cast<size_t>(node.outputs[0])] = convert_operation(operation, conversion);
  }

  OnnxModel finish() {
    model_.mutable_graph()->set_name(name_);
    model_.set_producer_name("ferrotype");
    model_.set_ir_version(ir_version(writer_.opset()));
    model_.add_opset_import()->set_version(writer_.opset());
    for (const auto& [key, text] : options_.metadata) {
      onnx::StringStringEntryProto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(text);
    }
    constexpr size_t limit = std::numeric_limits<int32_t>::max();
    if (model_.ByteSizeLong() > limit) {
      fail("onnx: the model has ", model_.ByteSizeLong(), " bytes; a file holds at most ", limit);
    }
    model_.SerializeToString(&exported_.bytes);
    exported_.opset = writer_.opset();
    exported_.nodes = model_.graph().node_size();
    return std::move(exported_);
  }

  const std::string name_;
  const OnnxOptions& options_;
  onnx::ModelProto model_;
  Program program_;
  OnnxWriter writer_;
  std::map<std::string, Tensor> tensors_;  // the variables read, by name
  std::vector<std::string> names_;         // in ONNX, by value
  std::set<int> filters_;                  // variables written as depthwise filters
  int64_t batch_ = -1;                     // the extent that stands for any, when one does
  OnnxModel exported_;
};

}  // namespace

OnnxModel to_onnx(Value result, const std::string& name, const Variables& variables, const OnnxOptions& options) {
  return OnnxExport(result, name, variables, options).build();
}

OnnxModel to_onnx(const LoadedNetwork& loaded, const Shape& image, int64_t batch, bool fold) {
  Graph graph;
  const int64_t recorded = batch == 0 ? any_number : batch;
  const Value images = graph.input("images", DType::f32, {recorded, image[0], image[1], image[2]});
  const Value logits = loaded.network.make(graph)->forward(images, Mode::evaluation);
  return to_onnx(logits, "logits", *loaded.network.variables, {fold, batch == 0, to_metadata(loaded.saved)});
}

}  // namespace fer
