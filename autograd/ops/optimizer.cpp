#include "kernels/optimizer.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// Arithmetic operations an element costs.
int64_t flops_per_element(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return 4;
    case OptimizerKind::rmsprop:
      return 8;
    case OptimizerKind::nadam:
      return 16;
    default:
      return 12;
  }
}

// Inputs: learning rate, state, parameters, gradients, first moments, second moments (those that are kept).
class OptimizerStep : public Operation {
 public:
  OptimizerStep(const OptimizerParams& params, size_t count, bool advances = true)
      : params_(params), count_(count), advances_(advances) {}

  std::string name() const override { return name_of(params_.kind) + "_step"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, first_parameter + groups() * count_);
    for (size_t i = 0; i < count_; ++i) {
      const ValueType& parameter = inputs[first_parameter + i];
      with_float_type(name(), parameter.dtype, [](auto) {});
      if (inputs[0] != ValueType{parameter.dtype, {}}) {
        fail(name(), ": parameters ", parameter, " expect a learning rate ", parameter.dtype, "[], is ", inputs[0]);
      }
      for (size_t group = 1; group < groups(); ++group) {
        const ValueType& other = inputs[first_parameter + group * count_ + i];
        if (other != parameter) {
          fail(name(), ": parameter ", i, " is ", parameter, group == 1 ? ", its gradient " : ", its moment ", other);
        }
      }
    }
    if (inputs[1] != ValueType{DType::f64, {2}}) {
      fail(name(), ": state must be f64[2], is ", inputs[1]);
    }
    return {{DType::u8, {0}}};
  }

  // Gradients are read as they are.
  Half half() const override { return Half::by_itself; }

  // What is updated moves twice.
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    Cost cost{0, moved_bytes(inputs, outputs)};
    for (int input : mutates()) {
      cost.bytes += inputs[static_cast<size_t>(input)].bytes();
    }
    for (const ValueType& parameter : inputs.subspan(first_parameter, count_)) {
      cost.flops += flops_per_element(params_.kind) * parameter.shape.size();
    }
    return cost;
  }

  std::vector<int> mutates() const override {
    std::vector<int> inputs;
    if (advances_) {
      inputs.push_back(1);
    }
    for (size_t i = 0; i < groups() * count_; ++i) {
      if (i / count_ != 1) {  // all but the gradients
        inputs.push_back(static_cast<int>(first_parameter + i));
      }
    }
    return inputs;
  }

  // Small parameters stay together, in the last part.
  std::vector<UpdatePart> parts(std::span<const ValueType> inputs) const override {
    std::vector<size_t> together;
    std::vector<UpdatePart> parts;
    for (size_t i = 0; i < count_; ++i) {
      if (inputs[first_parameter + i].bytes() < least_part_bytes || i == 0) {
        together.push_back(i);
      } else {
        parts.push_back(part({i}, false));
      }
    }
    parts.push_back(part(together, true));
    return parts;
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      check_launchable(*this, inputs[0].dtype);
      return prepare_launch(inputs, options);
    }
    std::vector<int64_t> sizes;
    for (const ValueType& parameter : inputs.subspan(first_parameter, count_)) {
      sizes.push_back(parameter.shape.size());
    }
    return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
      using T = decltype(scalar);
      return {[self = *this, offsets = optimizer_offsets(sizes)](const StepContext*, std::span<const AnyView> in, auto,
                                                                 std::byte*) {
        const double learning_rate = static_cast<double>(in[0].as<const T>().data[0]);
        optimizer_update<T>(self.params_, learning_rate, in[1].as<double>(), offsets, self.tensors_of(in),
                            self.advances_);
      }};
    });
  }

 private:
  static constexpr size_t first_parameter = 2;
  static constexpr int64_t least_part_bytes = 1 << 16;

  UpdatePart part(const std::vector<size_t>& parameters, bool advances) const {
    std::vector<int> inputs{0, 1};
    for (size_t group = 0; group < groups(); ++group) {
      for (size_t i : parameters) {
        inputs.push_back(static_cast<int>(first_parameter + group * count_ + i));
      }
    }
    return {std::make_shared<OptimizerStep>(params_, parameters.size(), advances), inputs};
  }

  OptimizerTensors tensors_of(std::span<const AnyView> in) const {
    const auto group = [&](size_t index) { return in.subspan(first_parameter + index * count_, count_); };
    OptimizerTensors tensors{group(0), group(1), {}, {}};
    size_t next = 2;
    if (keeps_first_moment(params_)) {
      tensors.first_moments = group(next++);
    }
    if (keeps_second_moment(params_)) {
      tensors.second_moments = group(next++);
    }
    return tensors;
  }

  // Where the tensors are stands in its table.
  Kernel prepare_launch(std::span<const ValueType> inputs, const PrepareOptions& options) const {
    std::vector<cuda::OptimizerEntry> entries(count_);
    for (size_t i = 0; i < count_; ++i) {
      entries[i].size = inputs[first_parameter + i].shape.size();
    }
    const int64_t packs = options.cuda->number_packs(entries);
    Kernel kernel;
    kernel.device = Device::cuda;
    kernel.workspace_bytes = options.cuda->optimizer_workspace_bytes();
    for (const ValueType& input : inputs) {
      kernel.reads.push_back(input.dtype);
    }
    kernel.table_bytes = static_cast<int64_t>(std::as_bytes(std::span(entries)).size());
    kernel.write_table = [self = *this, entries](std::span<const AnyView> in, std::span<const AnyView>,
                                                 std::byte* table) mutable {
      const OptimizerTensors tensors = self.tensors_of(in);
      const auto address = [](std::span<const AnyView> group, size_t i) {
        return group.empty() ? nullptr : group[i].as<float>().data;
      };
      for (size_t i = 0; i < entries.size(); ++i) {
        entries[i].parameter = address(tensors.parameters, i);
        if (tensors.gradients[i].dtype == DType::bf16) {
          entries[i].half_gradient = tensors.gradients[i].as<cuda::bf16>().data;
        } else {
          entries[i].gradient = address(tensors.gradients, i);
        }
        entries[i].first_moment = address(tensors.first_moments, i);
        entries[i].second_moment = address(tensors.second_moments, i);
      }
      std::ranges::copy(std::as_bytes(std::span(entries)), table);
    };
    kernel.run = [params = params_, count = count_, advances = advances_, launch = options.cuda->optimizer_update,
                  packs, options](const StepContext*, std::span<const AnyView> in, auto, std::byte* workspace) {
      const std::span table(static_cast<const cuda::OptimizerEntry*>(in.back().data), count);
      launch(params, in[0].as<const float>().data, in[1].as<double>().data, table, packs, workspace, options.stream,
             options.reference, advances);
    };
    return kernel;
  }

  size_t groups() const { return 2 + keeps_first_moment(params_) + keeps_second_moment(params_); }

  const OptimizerParams params_;
  const size_t count_;
  const bool advances_;  // the last update of the step: counts it
};

void check_params(const OptimizerParams& params) {
  const auto check = [&](bool good, const char* what, double value, const char* range) {
    if (!good) {
      fail("optimizer_step: ", what, " of ", name_of(params.kind), " is ", value, ", expected ", range);
    }
  };
  const auto share = [](double value) { return value >= 0 && value < 1; };
  check(share(params.momentum), "momentum", params.momentum, "0 … 1 (exclusive)");
  check(share(params.beta1), "beta1", params.beta1, "0 … 1 (exclusive)");
  check(share(params.beta2), "beta2", params.beta2, "0 … 1 (exclusive)");
  check(share(params.alpha), "alpha", params.alpha, "0 … 1 (exclusive)");
  check(params.epsilon >= 0, "epsilon", params.epsilon, "0 or more");
  check(params.weight_decay >= 0, "weight decay", params.weight_decay, "0 or more");
  if (params.nesterov && params.momentum == 0) {
    fail("optimizer_step: nesterov needs a momentum");
  }
}

}  // namespace

Value optimizer_step(const OptimizerParams& params, Value learning_rate, std::span<const Value> parameters,
                     std::span<const Value> gradients) {
  check_params(params);
  if (parameters.empty() || parameters.size() != gradients.size()) {
    fail("optimizer_step: was given ", parameters.size(), " parameters and ", gradients.size(), " gradients");
  }
  Graph& graph = parameters.front().graph();
  for (Value parameter : parameters) {
    if (graph.values()[static_cast<size_t>(parameter.id())].kind != ValueKind::variable) {
      fail("optimizer_step: ", parameter.type(), " is not a variable; only variables can be updated");
    }
  }
  const Restore phase(graph.phase, Phase::update);

  const auto start = [](Tensor& state, RandomSequence&) { state.data<double>()[1] = 1; };
  std::vector<Value> inputs{learning_rate, graph.variable("optimizer.state", {DType::f64, {2}}, start, false)};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  inputs.insert(inputs.end(), gradients.begin(), gradients.end());
  const auto add_moments = [&](const char* suffix) {
    for (Value parameter : parameters) {
      const ValueRecord record = graph.values()[static_cast<size_t>(parameter.id())];
      inputs.push_back(graph.variable(
          "optimizer." + record.name + suffix, record.type, [](Tensor&, RandomSequence&) {}, false));
    }
  };
  if (keeps_first_moment(params)) {
    add_moments(".m");
  }
  if (keeps_second_moment(params)) {
    add_moments(".v");
  }
  return graph.apply(std::make_shared<const OptimizerStep>(params, parameters.size()), inputs).front();
}

}  // namespace fer
