#include "autograd/half_precision.h"

#include <algorithm>
#include <map>
#include <utility>

#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

bool is_half(const ValueType& type) { return type.dtype == DType::bf16; }

class Convert : public Operation {
 public:
  explicit Convert(DType to) : to_(to) {}

  std::string name() const override { return "convert"; }
  Half half() const override { return Half::by_itself; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    return {{to_, inputs[0].shape}};
  }

  Kernel prepare(std::span<const ValueType>, std::span<const ValueType>, const PrepareOptions& options) const override {
    if (options.cuda == nullptr) {
      fail(name(), ": the CPU computes in f32");
    }
    return to_ == DType::bf16 ? launch_kernel(options.cuda->to_bf16, options)
                              : launch_kernel(options.cuda->to_f32, options);
  }

 private:
  DType to_;
};

// Variables -> their values in bf16, all in one launch.
class ConvertVariables : public Operation {
 public:
  std::string name() const override { return "convert_variables"; }
  Half half() const override { return Half::by_itself; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    std::vector<ValueType> outputs;
    for (const ValueType& input : inputs) {
      outputs.push_back({DType::bf16, input.shape});
    }
    return outputs;
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    std::vector<cuda::OptimizerEntry> entries(inputs.size());
    for (size_t i = 0; i < entries.size(); ++i) {
      entries[i].size = inputs[i].shape.size();
    }
    const int64_t packs = options.cuda->number_packs(entries);
    Kernel kernel;
    kernel.device = Device::cuda;
    kernel.table_bytes = static_cast<int64_t>(std::as_bytes(std::span(entries)).size());
    kernel.write_table = [entries](std::span<const AnyView> in, std::span<const AnyView> out,
                                   std::byte* table) mutable {
      for (size_t i = 0; i < entries.size(); ++i) {
        entries[i].parameter = in[i].as<float>().data;
        entries[i].copy = out[i].as<cuda::bf16>().data;
      }
      std::ranges::copy(std::as_bytes(std::span(entries)), table);
    };
    kernel.run = [count = entries.size(), packs, launch = options.cuda->copy_parameters, options](
                     const StepContext*, std::span<const AnyView> in, auto, std::byte*) {
      launch({static_cast<const cuda::OptimizerEntry*>(in.back().data), count}, packs, options.stream,
             options.reference);
    };
    return kernel;
  }
};

class HalfPrecision {
 public:
  HalfPrecision(Program program, const PrepareOptions& options)
      : program_(std::move(program)), nodes_(std::exchange(program_.nodes, {})), options_(options) {
    for (const ValueRecord& value : program_.values) {
      recorded_.push_back(value.type);
    }
  }

  Program run() {
    for (Node& node : nodes_) {
      add(std::move(node));
    }
    if (!variables_.inputs.empty()) {
      program_.nodes.insert(program_.nodes.begin(), std::move(variables_));
    }
    return std::move(program_);
  }

 private:
  ValueType& type(int value) { return program_.values[static_cast<size_t>(value)].type; }

  bool takes_part(const Node& node) {
    const Half half = node.operation->half();
    return half == Half::begins ||
           (half == Half::follows && std::ranges::any_of(node.inputs, [&](int input) { return is_half(type(input)); }));
  }

  std::vector<ValueType> recorded(const std::vector<int>& values) const {
    std::vector<ValueType> types;
    for (int value : values) {
      types.push_back(recorded_[static_cast<size_t>(value)]);
    }
    return types;
  }

  void add(Node node) {
    std::vector<DType> writes(node.outputs.size(), DType::f32);
    if (node.operation->is_view()) {
      writes[0] = type(node.inputs[0]).dtype;
    } else if (node.operation->half() != Half::by_itself) {
      std::vector<DType> reads(node.inputs.size(), DType::f32);
      if (takes_part(node)) {
        const Kernel kernel = node.operation->prepare(recorded(node.inputs), recorded(node.outputs), options_);
        std::copy_n(kernel.reads.begin(), std::min(reads.size(), kernel.reads.size()), reads.begin());
        std::copy_n(kernel.writes.begin(), std::min(writes.size(), kernel.writes.size()), writes.begin());
      }
      for (size_t i = 0; i < reads.size(); ++i) {
        node.inputs[i] = stored_as(reads[i], node.inputs[i], node);
      }
    }
    std::vector<Node> after;
    for (size_t i = 0; i < writes.size(); ++i) {
      int& output = node.outputs[i];
      if (writes[i] != DType::bf16 || type(output).dtype != DType::f32) {
        continue;
      }
      if (!program_.is_output(output)) {
        type(output).dtype = DType::bf16;
        continue;
      }
      const int half = new_value({DType::bf16, type(output).shape});
      after.push_back(conversion(half, output, node));
      converted_[{output, DType::bf16}] = half;
      output = half;
    }
    program_.nodes.push_back(std::move(node));
    program_.nodes.insert(program_.nodes.end(), after.begin(), after.end());
  }

  // `value`, or its conversion, made for `reader` unless there is one.
  int stored_as(DType dtype, int value, const Node& reader) {
    const DType stored = type(value).dtype;
    if (stored == dtype || (stored != DType::f32 && stored != DType::bf16)) {
      return value;
    }
    const auto [found, is_new] = converted_.try_emplace({value, dtype}, 0);
    if (is_new) {
      found->second = new_value({dtype, type(value).shape});
      if (program_.values[static_cast<size_t>(value)].kind == ValueKind::variable) {
        variables_.inputs.push_back(value);
        variables_.outputs.push_back(found->second);
      } else {
        program_.nodes.push_back(conversion(value, found->second, reader));
      }
    }
    return found->second;
  }

  int new_value(const ValueType& type) {
    ValueRecord value;
    value.type = type;
    program_.values.push_back(value);
    recorded_.push_back(type);
    return static_cast<int>(program_.values.size()) - 1;
  }

  Node conversion(int from, int to, const Node& beside) {
    return {std::make_shared<Convert>(type(to).dtype), {from}, {to}, beside.scope, beside.phase};
  }

  Program program_;
  std::vector<Node> nodes_;
  Node variables_{std::make_shared<ConvertVariables>(), {}, {}, "", Phase::forward};  // those that are converted
  const PrepareOptions options_;
  std::vector<ValueType> recorded_;                 // by value
  std::map<std::pair<int, DType>, int> converted_;  // values in another type than their own
};

}  // namespace

Program in_half_precision(Program program, const PrepareOptions& options) {
  return HalfPrecision(std::move(program), options).run();
}

Kernel prepare_as_stored(const Operation& operation, std::vector<ValueType> inputs, std::vector<ValueType> outputs,
                         PrepareOptions options) {
  if (operation.half() == Half::by_itself) {
    return operation.prepare(inputs, outputs, options);
  }
  const bool half = std::ranges::any_of(inputs, is_half) || std::ranges::any_of(outputs, is_half);
  for (auto* types : {&inputs, &outputs}) {
    for (ValueType& type : *types) {
      type.dtype = is_half(type) ? DType::f32 : type.dtype;
    }
  }
  if (!half && options.precision == Precision::bf16) {
    options.precision = Precision::fp32;
  }
  return operation.prepare(inputs, outputs, options);
}

}  // namespace fer
