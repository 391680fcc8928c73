#include "layers/weights.h"

#include <vector>

namespace fer {

namespace {

constexpr std::string_view optimizer_prefix = "optimizer.";

bool starts_with(const std::string& text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }

// Elements moved so that dimension i of the result is dimension order[i] of `tensor`.
Tensor permuted(const Tensor& tensor, std::initializer_list<int> order) {
  const int rank = tensor.shape().rank();
  std::vector<int64_t> extents, strides(static_cast<size_t>(rank), 1);
  for (int axis = rank - 2; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = strides[static_cast<size_t>(axis) + 1] * tensor.shape()[axis + 1];
  }
  std::vector<int64_t> steps;
  for (int axis : order) {
    extents.push_back(tensor.shape()[axis]);
    steps.push_back(strides[static_cast<size_t>(axis)]);
  }
  Tensor result(tensor.dtype(), Shape(extents));
  with_float_type("weights", tensor.dtype(), [&](auto scalar) {
    using T = decltype(scalar);
    std::vector<int64_t> index(extents.size(), 0);
    const T* from = tensor.data<T>();
    for (T& element : result.as<T>()) {
      element = *from;
      for (size_t axis = extents.size(); axis-- > 0;) {
        from += steps[axis];
        if (++index[axis] < extents[axis]) {
          break;
        }
        from -= steps[axis] * extents[axis];
        index[axis] = 0;
      }
    }
  });
  return result;
}

}  // namespace

Tensor to_torch_layout(const Tensor& weight) {
  switch (weight.shape().rank()) {
    case 5: {
      const Tensor moved = permuted(weight, {0, 1, 4, 2, 3});
      return moved.reshaped({moved.shape()[0], moved.size() / moved.shape()[0]});
    }
    case 4:
      return permuted(weight, {0, 3, 1, 2});
    case 3: {
      const Tensor moved = permuted(weight, {2, 0, 1});
      return moved.reshaped({moved.shape()[0], 1, moved.shape()[1], moved.shape()[2]});
    }
    default:
      return weight;
  }
}

Tensor from_torch_layout(const std::string& name, const Tensor& weight, const Shape& expected) {
  const auto check = [&](const Shape& wanted) {
    if (weight.shape() != wanted) {
      fail("weights: tensor '", name, "' should be ", wanted, ", is ", weight.shape());
    }
  };
  switch (expected.rank()) {
    case 5:
      check({expected[0], expected.size() / expected[0]});
      return permuted(weight.reshaped({expected[0], 1, expected[4], expected[2], expected[3]}), {0, 1, 3, 4, 2});
    case 4:
      check({expected[0], expected[3], expected[1], expected[2]});
      return permuted(weight, {0, 2, 3, 1});
    case 3:
      check({expected[2], 1, expected[0], expected[1]});
      return permuted(weight.reshaped({expected[2], expected[0], expected[1]}), {1, 2, 0});
    default:
      check(expected);
      return weight;
  }
}

TensorFile weight_file(const Variables& variables, const std::map<std::string, std::string>& metadata,
                       bool with_optimizer) {
  TensorFile file;
  for (const auto& [name, tensor] : variables.all()) {
    if (with_optimizer || !starts_with(name, optimizer_prefix)) {
      file.tensors.emplace(name, to_torch_layout(tensor));
    }
  }
  file.metadata = metadata;
  return file;
}

std::vector<std::string> load_weights(const TensorFile& file, Graph& graph, const std::string& head,
                                      Variables& variables, const LoadOptions& options) {
  std::vector<std::string> kept;
  for (Value value : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
    const auto found = file.tensors.find(record.name);
    Tensor target = variables.get(record.name, record.type, record.initializer);
    if (found == file.tensors.end()) {
      if (!options.partial) {
        fail("weights: ", file.source.string(), " has no tensor '", record.name, "' (expected ",
             to_torch_layout(target).shape(), "); --partial loads what is there");
      }
      kept.push_back(record.name);
      continue;
    }
    const Shape expected = to_torch_layout(target).shape();
    if (found->second.shape() != expected) {
      const bool is_head = starts_with(record.name, head + ".") && found->second.shape().rank() == expected.rank();
      if (!is_head || !options.replace_head) {
        fail("weights: tensor '", record.name, "' in ", file.source.string(), " is ", found->second.shape(),
             ", expected ", expected);
      }
      kept.push_back(record.name);
      continue;
    }
    variables.set(record.name,
                  from_torch_layout(record.name, found->second.converted(record.type.dtype), record.type.shape));
  }
  return kept;
}

void restore_variables(const TensorFile& file, Variables& variables) {
  for (const auto& [name, tensor] : variables.all()) {
    variables.set(name, from_torch_layout(name, file.at(name), tensor.shape()));
  }
}

}  // namespace fer
