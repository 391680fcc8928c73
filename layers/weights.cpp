#include "layers/weights.h"

#include <algorithm>
#include <vector>

namespace fer {

namespace {

constexpr std::string_view optimizer_prefix = "optimizer.";

bool starts_with(const std::string& text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }

// The same elements as a matrix: a 1x1 convolution, or one over the whole map, in place of a linear layer.
bool same_matrix(const Shape& a, const Shape& b) {
  return (a.rank() == 2 || b.rank() == 2) && a.rank() >= 2 && b.rank() >= 2 && a[0] == b[0] && a.size() == b.size();
}

// Whether two convolution weights [out,in,h,w] differ in being for grey and for colour images, and in nothing else.
bool differ_in_colour(const Shape& a, const Shape& b) {
  return a.rank() == 4 && b.rank() == 4 && a.with(1, 1) == b.with(1, 1) && std::min(a[1], b[1]) == 1 &&
         std::max(a[1], b[1]) == 3;
}

// [out,in,h,w] to [out,channels,h,w]: each channel gets the sum over all, divided by their number.
Tensor spread_over_channels(const Tensor& weight, int64_t channels) {
  const Shape& shape = weight.shape();
  const int64_t pixels = shape[2] * shape[3];
  Tensor result(weight.dtype(), shape.with(1, channels));
  with_float_type("weights", weight.dtype(), [&](auto scalar) {
    using T = decltype(scalar);
    for (int64_t out = 0; out < shape[0]; ++out) {
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        T sum = 0;
        for (int64_t in = 0; in < shape[1]; ++in) {
          sum += weight.data<T>()[(out * shape[1] + in) * pixels + pixel];
        }
        for (int64_t in = 0; in < channels; ++in) {
          result.data<T>()[(out * channels + in) * pixels + pixel] = sum / static_cast<T>(channels);
        }
      }
    }
  });
  return result;
}

// The shape of a variable in PyTorch's layout.
Shape torch_shape(const Shape& ours) {
  switch (ours.rank()) {
    case 5:
      return {ours[0], ours.size() / ours[0]};
    case 4:
      return {ours[0], ours[3], ours[1], ours[2]};
    case 3:
      return {ours[2], 1, ours[0], ours[1]};
    default:
      return ours;
  }
}

}  // namespace

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

Tensor to_torch_layout(const Tensor& weight) {
  switch (weight.shape().rank()) {
    case 5:
      return permuted(weight, {0, 1, 4, 2, 3}).reshaped(torch_shape(weight.shape()));
    case 4:
      return permuted(weight, {0, 3, 1, 2});
    case 3:
      return permuted(weight, {2, 0, 1}).reshaped(torch_shape(weight.shape()));
    default:
      return weight;
  }
}

Tensor from_torch_layout(const std::string& name, const Tensor& weight, const Shape& expected) {
  if (const Shape wanted = torch_shape(expected); weight.shape() != wanted) {
    fail("weights: tensor '", name, "' should be ", wanted, ", is ", weight.shape());
  }
  switch (expected.rank()) {
    case 5:
      return permuted(weight.reshaped({expected[0], 1, expected[4], expected[2], expected[3]}), {0, 1, 3, 4, 2});
    case 4:
      return permuted(weight, {0, 2, 3, 1});
    case 3:
      return permuted(weight.reshaped({expected[2], expected[0], expected[1]}), {1, 2, 0});
    default:
      return weight;
  }
}

bool is_optimizer_state(const std::string& variable) { return starts_with(variable, optimizer_prefix); }

TensorFile weight_file(const Variables& variables, const std::map<std::string, std::string>& metadata,
                       const WeightFileOptions& options) {
  constexpr std::string_view mean = ".running_mean";
  TensorFile file;
  for (const auto& [name, tensor] : variables.all()) {
    const bool state = is_optimizer_state(name);
    if (!state || options.optimizer) {
      file.tensors.emplace(name, to_torch_layout(tensor));
    }
    if (!state && name.ends_with(mean)) {
      const std::string owner = name.substr(0, name.size() - mean.size());
      file.tensors.emplace(owner + ".num_batches_tracked", Tensor::from({}, &options.batches_tracked));
    }
  }
  file.metadata = metadata;
  return file;
}

std::vector<std::string> load_weights(const TensorFile& file, Graph& graph, const std::string& head,
                                      Variables& variables, const LoadOptions& options) {
  const std::string source = file.source.string();
  const auto quoted = [&](const std::string& name) {
    const auto other = options.names_in_file.find(name);
    const bool renamed = other != options.names_in_file.end() && other->second != name;
    return renamed ? "'" + other->second + "' (for " + name + ")" : "'" + name + "'";
  };
  std::vector<std::string> kept, kept_head, notes;
  std::string why_head;
  for (Value value : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
    if (!starts_with(record.name, options.prefix)) {
      continue;
    }
    const Shape expected = torch_shape(variables.get(record.name, record.type, record.initializer).shape());
    const bool replaceable = options.replace_head && starts_with(record.name, head + ".");
    const auto found = file.tensors.find(record.name);
    if (found == file.tensors.end()) {
      if (replaceable) {
        why_head = why_head.empty() ? "the file has no " + quoted(record.name) : why_head;
        kept_head.push_back(record.name);
      } else if (options.partial) {
        kept.push_back(record.name);
      } else {
        fail("weights: ", source, " has no tensor ", quoted(record.name), " (expected ", expected,
             "); --partial loads what is there");
      }
      continue;
    }
    if (const DType dtype = found->second.dtype(); dtype != DType::f32 && dtype != DType::f64) {
      fail("weights: tensor ", quoted(record.name), " in ", source, " is of type ", dtype, "; f32 and f64 are read");
    }
    Tensor tensor = found->second.converted(record.type.dtype);
    const Shape shape = tensor.shape();
    if (shape != expected && same_matrix(shape, expected)) {
      tensor = tensor.reshaped(expected);
    } else if (shape != expected && differ_in_colour(shape, expected)) {
      tensor = spread_over_channels(tensor, expected[1]);
      notes.push_back(record.name + (expected[1] == 1
                                         ? ": the file's three input channels are summed into one"
                                         : ": the file's one input channel is spread over three, a third each"));
    } else if (shape != expected && replaceable && shape.rank() == expected.rank()) {
      why_head = why_head.empty() ? quoted(record.name) + " is " + to_string(shape) + " in the file, " +
                                        to_string(expected) + " here"
                                  : why_head;
      kept_head.push_back(record.name);
      continue;
    } else if (shape != expected) {
      fail("weights: tensor ", quoted(record.name), " in ", source, " is ", shape, ", expected ", expected);
    }
    variables.set(record.name, from_torch_layout(record.name, tensor, record.type.shape));
  }
  if (!kept_head.empty()) {
    notes.push_back("the classifier is replaced (" + why_head + "): " + comma_list(kept_head) +
                    " keep their first values");
  }
  if (!kept.empty()) {
    notes.push_back("the file lacks, and first values are kept of: " + comma_list(kept));
  }
  return notes;
}

void restore_variables(const TensorFile& file, Variables& variables) {
  for (const auto& [name, tensor] : variables.all()) {
    variables.set(name, from_torch_layout(name, file.at(name), tensor.shape()));
  }
}

}  // namespace fer
