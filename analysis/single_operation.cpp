#include "analysis/single_operation.h"

#include <charconv>
#include <map>

#include "autograd/ops.h"

namespace fer {

namespace {

// What a row of the table below works with.
struct Record {
  Graph& graph;
  const OperationSetting& setting;
  Value x;
  std::vector<Value>& inputs;  // x first

  int64_t channels() const { return x.shape()[-1]; }
  int64_t out_channels() const { return setting.out_channels > 0 ? setting.out_channels : channels(); }
  Value input(const char* name, Shape shape, DType dtype = DType::f32) {
    inputs.push_back(graph.resident(name, dtype, shape));
    return inputs.back();
  }
  std::optional<Value> bias(int64_t count) {
    return setting.bias ? std::optional(input("bias", {count})) : std::nullopt;
  }
  Padding padding() const { return symmetric_padding(setting.padding < 0 ? setting.kernel / 2 : setting.padding); }
  Conv2dParams window() const { return {setting.stride, padding()}; }
  int64_t size(int axis) const { return setting.size > 0 ? setting.size : 2 * x.shape()[axis]; }
  Value statistic(const char* name, float value) {
    return graph.variable(
        name, {DType::f32, {channels()}},
        [value](Tensor& tensor, RandomSequence&) { std::ranges::fill(tensor.as<float>(), value); }, false);
  }
};

struct Row {
  Value (*record)(Record& r);
  DType x = DType::f32;
  bool differentiable = true;
};

template <Value (*function)(Value)>
Value unary(Record& r) {
  return function(r.x);
}

const std::map<std::string, Row>& table() {
  static const std::map<std::string, Row> rows = {
      {"relu", {unary<relu>}},
      {"relu6", {unary<relu6>}},
      {"silu", {unary<silu>}},
      {"sigmoid", {unary<sigmoid>}},
      {"tanh", {unary<tanh>}},
      {"sum", {unary<sum>}},
      {"global_average_pool", {unary<global_average_pool>}},
      {"softmax", {unary<softmax>, DType::f32, false}},
      {"decode", {[](Record& r) { return decode(r.x); }, DType::u8, false}},
      {"add", {[](Record& r) { return add(r.x, r.input("other", r.x.shape())); }}},
      {"multiply", {[](Record& r) { return multiply(r.x, r.input("other", r.x.shape())); }}},
      {"scale", {[](Record& r) { return scale(r.x, 0.5); }}},
      {"clamp", {[](Record& r) { return clamp(r.x, 0, 1); }}},
      {"dropout", {[](Record& r) { return dropout(r.x, 0.5); }}},
      {"concat", {[](Record& r) {
         const Value both[] = {r.x, r.input("other", r.x.shape())};
         return concat(both);
       }}},
      {"conv2d", {[](Record& r) {
         const Value w = r.input("weight", {r.out_channels(), r.setting.kernel, r.setting.kernel, r.channels()});
         return conv2d(r.x, w, r.bias(r.out_channels()), r.window());
       }}},
      {"depthwise_conv2d", {[](Record& r) {
         const Value w = r.input("weight", {r.setting.kernel, r.setting.kernel, r.channels()});
         return depthwise_conv2d(r.x, w, r.bias(r.channels()), r.window());
       }}},
      {"linear", {[](Record& r) {
         const Value w = r.input("weight", {r.out_channels(), r.channels()});
         return linear(r.x, w, r.bias(r.out_channels()));
       }}},
      {"batch_norm", {[](Record& r) {
         const Value gamma = r.input("gamma", {r.channels()}), beta = r.input("beta", {r.channels()});
         return batch_norm(r.x, gamma, beta, r.statistic("running_mean", 0), r.statistic("running_var", 1), {}, true);
       }}},
      {"max_pool", {[](Record& r) {
         return max_pool(r.x, {r.setting.kernel, r.setting.stride, r.padding()});
       }}},
      {"average_pool", {[](Record& r) {
         return average_pool(r.x, {r.setting.kernel, r.setting.stride});
       }}},
      {"scale_channels", {[](Record& r) {
         return scale_channels(r.x, r.input("gate", {r.x.shape()[0], r.channels()}));
       }}},
      {"cross_entropy",
       {[](Record& r) { return cross_entropy(r.x, r.input("labels", {r.x.shape()[0]}, DType::i32)); }}},
      {"resize_bilinear", {[](Record& r) { return resize_bilinear(r.x, r.size(1), r.size(2)); }}},
      {"affine_grid_sample", {[](Record& r) {
         const Value theta = r.input("theta", {r.x.shape()[0], 2, 3});
         return affine_grid_sample(r.x, theta, r.size(1), r.size(2));
       }}},
      {"augment",
       {[](Record& r) { return augment(r.x, {.rotation = 10, .shift = 0.1, .flip = true}); }, DType::f32, false}},
  };
  return rows;
}

// Labels are classes of x's last dimension.
Tensor random_elements(const ValueType& type, int64_t classes, RandomSequence& random) {
  Tensor tensor(type.dtype, type.shape);
  if (type.dtype == DType::f32) {
    for (float& element : tensor.as<float>()) {
      element = random.uniform(-1, 1);
    }
  } else if (type.dtype == DType::u8) {
    for (uint8_t& element : tensor.as<uint8_t>()) {
      element = static_cast<uint8_t>(random.below(256));
    }
  } else {
    for (int32_t& element : tensor.as<int32_t>()) {
      element = static_cast<int32_t>(random.below(static_cast<uint32_t>(classes)));
    }
  }
  return tensor;
}

}  // namespace

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const auto& [name, row] : table()) {
    names.push_back(name);
  }
  return names;
}

Shape parse_shape(const std::string& text) {
  std::vector<int64_t> extents;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (bool more = true; more;) {
    int64_t extent = 0;
    const auto [after, error] = std::from_chars(at, end, extent);
    more = after != end && *after == 'x';
    if (error != std::errc() || extent < 1 || (after != end && !more) || extents.size() == Shape::max_rank) {
      fail("'", text, "' is not a shape; 32x48x48x64 is: up to ", Shape::max_rank, " extents of 1 or more");
    }
    extents.push_back(extent);
    at = after + 1;
  }
  return Shape(extents);
}

SingleOperation::SingleOperation(const OperationSetting& setting, Device device, Precision precision, uint64_t seed) {
  const auto row = table().find(setting.name);
  if (row == table().end()) {
    fail("there is no operation '", setting.name, "'; there are ", comma_list(operation_names()));
  }
  std::vector<Value> residents{graph_.resident("x", row->second.x, setting.shape)};
  Record record{graph_, setting, residents[0], residents};
  const Value y = row->second.record(record);
  std::vector<Value> outputs{y}, wrt;
  for (const Value& input : residents) {
    if (row->second.differentiable && input.dtype() == DType::f32) {
      wrt.push_back(input);
    }
  }
  if (!wrt.empty()) {
    residents.push_back(graph_.resident("cotangent", y.dtype(), y.shape()));
    const std::vector<Value> all = gradients(y, wrt, residents.back());
    outputs.insert(outputs.end(), all.begin(), all.end());
  }
  PlanOptions options;
  options.kernels.precision = precision;
  executor_ = std::make_unique<Executor>(make_plan(graph_, outputs, planned_for(device, options)), device,
                                         std::make_shared<Variables>(seed));
  RandomSequence random(Philox(seed, 0));
  for (const Value& resident : residents) {
    elements_.push_back(random_elements(resident.type(), setting.shape[-1], random));
    executor_->bind(resident, elements_.back().view());
  }
}

}  // namespace fer
