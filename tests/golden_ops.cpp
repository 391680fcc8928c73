// Every file of goldens/ops against PyTorch's answers, forward and gradients, in float.
#include <doctest/doctest.h>

#include <map>
#include <sstream>

#include "analysis/gradcam.h"
#include "autograd/ops.h"
#include "data/distort.h"
#include "layers/weights.h"
#include "tests/device.h"
#include "tests/golden.h"

namespace fer::test {

namespace {

constexpr double tolerance = 1e-5;  // relative distance; float carries 6e-8 and the longest sums here have 300 terms

using Inputs = std::map<std::string, Value>;

// The number after `word` in a case's description, or `otherwise`.
double number_after(const std::string& about, const std::string& word, double otherwise) {
  std::istringstream words(about);
  for (std::string one; words >> one;) {
    if (one == word) {
      double value = otherwise;
      return words >> value ? value : otherwise;
    }
  }
  return otherwise;
}

bool mentions(const std::string& about, const std::string& word) { return about.find(word) != std::string::npos; }

Conv2dParams conv_params(const std::string& about, const Shape& x) {
  const auto kernel = static_cast<int64_t>(number_after(about, "kernel", 0));
  const auto stride = static_cast<int64_t>(number_after(about, "stride", 1));
  return {stride, mentions(about, "padding same")
                      ? same_padding(x[1], x[2], kernel, stride)
                      : symmetric_padding(static_cast<int64_t>(number_after(about, "padding", 0)))};
}

std::optional<Value> optional(const Inputs& in, const std::string& name) {
  const auto found = in.find(name);
  return found == in.end() ? std::nullopt : std::optional(found->second);
}

Value squeeze_excite(const Inputs& in, Activation middle) {
  const Value x = in.at("x");
  const Value hidden = activate(middle, linear(global_average_pool(x), in.at("w1"), in.at("b1")));
  return scale_channels(x, sigmoid(linear(hidden, in.at("w2"), in.at("b2"))));
}

// Records the operation of a case; `y` is what PyTorch made of it, for sizes that are parameters.
Value record(const std::string& name, const std::string& about, const Inputs& in, const Shape& y) {
  const auto starts = [&](const char* prefix) { return name.rfind(prefix, 0) == 0; };
  const auto x = [&] { return in.at("x"); };
  if (starts("conv")) {
    return conv2d(x(), in.at("w"), optional(in, "b"), conv_params(about, x().shape()));
  }
  if (starts("depthwise")) {
    return depthwise_conv2d(x(), in.at("w"), optional(in, "b"), conv_params(about, x().shape()));
  }
  if (starts("bn_")) {
    return batch_norm(x(), in.at("gamma"), in.at("beta"), in.at("running_mean"), in.at("running_var"),
                      {number_after(about, "eps", 1e-5), 0.1}, starts("bn_train"));
  }
  if (starts("maxpool") || starts("avgpool")) {
    const int64_t kernel = name[7] - '0';
    const PoolParams params{kernel, 2, symmetric_padding(static_cast<int64_t>(number_after(about, "padding", 0)))};
    return starts("max") ? max_pool(x(), params) : average_pool(x(), params);
  }
  if (starts("global_avg_pool")) {
    return global_average_pool(x());
  }
  if (starts("linear")) {
    return linear(x(), in.at("w"), optional(in, "b"));
  }
  for (Activation activation :
       {Activation::relu6, Activation::relu, Activation::silu, Activation::sigmoid, Activation::tanh}) {
    if (name == name_of(activation)) {
      return activate(activation, x());
    }
  }
  if (starts("add_relu")) {
    return relu(add(in.at("a"), in.at("b")));
  }
  if (starts("concat_channels")) {
    return concat(std::vector{in.at("a"), in.at("b")});
  }
  if (starts("se_block")) {
    return squeeze_excite(in, mentions(about, "silu") ? Activation::silu : Activation::relu);
  }
  if (starts("affine_grid_sample")) {
    return affine_grid_sample(x(), in.at("theta"), y[1], y[2]);
  }
  if (starts("resize_bilinear")) {
    return resize_bilinear(x(), y[1], y[2]);
  }
  if (starts("cross_entropy")) {
    const CrossEntropyParams params{.label_smoothing = number_after(about, "smoothing", 0)};
    return cross_entropy(x(), in.count("target") ? in.at("target") : in.at("label"), params,
                         optional(in, "class_weight"));
  }
  FAIL("no check for golden ", name);
  return {};
}

// From PyTorch's layout to ours. Depthwise weights are told by their case.
Tensor ours(const std::string& test, const std::string& name, const Tensor& tensor) {
  if (test.rfind("depthwise", 0) == 0 && (name == "w" || name == "dw")) {
    const Shape& shape = tensor.shape();
    return from_torch_layout(name, tensor, {shape[2], shape[3], shape[0]});
  }
  return tensor.dtype() == DType::i64 ? tensor.converted(DType::i32) : to_nhwc(tensor);
}

void check(const std::string& test, const std::string& what, const Tensor& actual, const Tensor& expected) {
  const double distance = relative_distance(actual.reshaped(expected.shape()), expected);
  INFO(test, ": ", what, " is ", distance, " away");
  CHECK(distance <= tolerance);
}

void check_operation(const std::string& test, const TensorFile& file) {
  Graph graph;
  Inputs inputs;
  std::map<std::string, Tensor> values;
  auto variables = std::make_shared<Variables>(0);
  std::vector<std::string> differentiated;
  std::vector<Value> wrt;
  const Tensor expected = ours(test, "y", file.at("y"));
  for (const auto& [name, tensor] : file.tensors) {
    if (name == "y" || name == "dy" || name.rfind("new_", 0) == 0 ||
        (name[0] == 'd' && file.contains(name.substr(1)))) {
      continue;
    }
    values[name] = ours(test, name, tensor);
    const ValueType type{values[name].dtype(), values[name].shape()};
    if (name.rfind("running_", 0) == 0) {
      inputs[name] = graph.variable(name, type, nullptr, false);
      variables->set(name, values[name]);
      continue;
    }
    inputs[name] = graph.input(name, type.dtype, type.shape);
    if (file.contains("d" + name)) {
      differentiated.push_back(name);
      wrt.push_back(inputs[name]);
    }
  }
  const Value y = record(test, file.metadata.at("about"), inputs, expected.shape());
  const Value dy = graph.input("dy", DType::f32, y.shape());
  std::vector<Value> outputs = gradients(y, wrt, dy);
  outputs.push_back(y);
  Executor executor = make_executor(graph, outputs, variables);
  for (const auto& [name, value] : inputs) {
    if (name.rfind("running_", 0) != 0) {
      executor.feed(value, values[name].view());
    }
  }
  executor.feed(dy, ours(test, "dy", file.at("dy")).reshaped(y.shape()).view());
  executor.run({});
  check(test, "y", Tensor(executor.read(y), nullptr), expected);
  for (size_t i = 0; i < differentiated.size(); ++i) {
    check(test, "d" + differentiated[i], Tensor(executor.read(outputs[i]), nullptr),
          ours(test, "d" + differentiated[i], file.at("d" + differentiated[i])));
  }
  for (const char* name : {"running_mean", "running_var"}) {
    if (file.contains(std::string("new_") + name)) {
      check(test, name, variables->at(name), file.at(std::string("new_") + name));
    }
  }
}

OptimizerParams optimizer_of(const std::string& test, const std::string& about) {
  OptimizerParams params;
  const std::string kind =
      test.substr(4, test.find('_', 4) == std::string::npos ? std::string::npos : test.find('_', 4) - 4);
  params.kind = parse_optimizer(kind);
  params.momentum = number_after(about, "momentum", 0);
  params.nesterov = mentions(about, "nesterov");
  params.weight_decay = number_after(about, "weight_decay", 0);
  return params;
}

void check_optimizer(const std::string& test, const TensorFile& file) {
  const std::string& about = file.metadata.at("about");
  Graph graph;
  const Shape shape = file.at("w0").shape();
  const Value w = graph.variable("w", {DType::f32, shape}, nullptr, true);
  const Value g = graph.input("g", DType::f32, shape);
  const Value rate = graph.input("rate", DType::f32, {});
  const Value update = optimizer_step(optimizer_of(test, about), rate, std::vector{w}, std::vector{g});
  auto variables = std::make_shared<Variables>(0);
  variables->set("w", file.at("w0"));
  Executor executor = make_executor(graph, std::vector{update}, variables);
  auto lr = static_cast<float>(number_after(about, "lr", 0));
  for (int step = 1; file.contains("w" + std::to_string(step)); ++step) {
    executor.feed(g, file.at("g" + std::to_string(step)).view()).feed(rate, {&lr, DType::f32, {}}).run({});
    check(test, "w" + std::to_string(step), variables->at("w"), file.at("w" + std::to_string(step)));
  }
}

// conv3x3 - relu - maxpool2 - conv3x3 - relu - gap - linear, from the file's weights.
struct SmallCnn {
  Graph graph;
  Value x, label, activation, logits;
  std::map<std::string, Value> weights;

  explicit SmallCnn(const TensorFile& file) {
    for (const char* name : {"w1", "b1", "w2", "b2", "w3", "b3"}) {
      const Tensor weight = to_nhwc(file.at(name));
      weights[name] = graph.input(name, DType::f32, weight.shape());
    }
    x = graph.input("x", DType::f32, to_nhwc(file.at("x")).shape());
    label = graph.input("label", DType::i32, file.at("label").shape());
    const Conv2dParams same{1, symmetric_padding(1)};
    const Value first = max_pool(relu(conv2d(x, weights["w1"], weights["b1"], same)), {});
    activation = relu(conv2d(first, weights["w2"], weights["b2"], same));
    logits = linear(global_average_pool(activation), weights["w3"], weights["b3"]);
  }

  void feed(Executor& executor, const TensorFile& file) {
    for (const auto& [name, value] : weights) {
      executor.feed(value, to_nhwc(file.at(name)).view());
    }
    executor.feed(x, to_nhwc(file.at("x")).view());
    executor.feed(label, file.at("label").converted(DType::i32).view());
  }
};

void check_fgsm(const std::string& test, const TensorFile& file) {
  SmallCnn cnn(file);
  const Value loss = cross_entropy(cnn.logits, cnn.label, {.sum = true});
  const Value slope = gradients(loss, std::vector{cnn.x})[0];
  std::vector<Value> outputs{cnn.logits, loss, slope};
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind("fgsm_", 0) == 0) {
      names.push_back(name);
      outputs.push_back(clamp(add(cnn.x, scale(sign(slope), std::stod(name.substr(5)))), 0, 1));
    }
  }
  Executor executor = make_executor(cnn.graph, outputs);
  cnn.feed(executor, file);
  executor.run({});
  check(test, "logits", Tensor(executor.read(cnn.logits), nullptr), file.at("logits"));
  check(test, "loss", Tensor(executor.read(loss), nullptr), file.at("loss_sum"));
  check(test, "dx", Tensor(executor.read(slope), nullptr), to_nhwc(file.at("dx")));
  for (size_t i = 0; i < names.size(); ++i) {
    check(test, names[i], Tensor(executor.read(outputs[3 + i]), nullptr), to_nhwc(file.at(names[i])));
  }
}

void check_grad_cam(const std::string& test, const TensorFile& file) {
  const Tensor maps = grad_cam(to_nhwc(file.at("activation")), to_nhwc(file.at("dactivation")));
  check(test, "cam", maps, to_nhwc(file.at("cam")));
  const Tensor expected = to_nhwc(file.at("cam_resized"));
  Graph graph;
  const Value small = graph.input("maps", DType::f32, maps.shape());
  const Value large = resize_bilinear(small, expected.shape()[1], expected.shape()[2]);
  Executor executor = make_executor(graph, std::vector{large});
  executor.feed(small, maps.view()).run({});
  const Tensor resized(executor.read(large), nullptr);
  check(test, "cam_resized", resized, expected);
  check(test, "cam_normalised", normalised_maps(resized), to_nhwc(file.at("cam_normalised")));

  // The same gradient from the network itself, whose weights stand in the other file.
  const TensorFile network = read_safetensors(goldens() / "ops" / "small_cnn.safetensors");
  SmallCnn cnn(network);
  Tensor chosen(DType::f32, cnn.logits.shape());
  for (int64_t i = 0; i < chosen.shape()[0]; ++i) {
    chosen.data<float>()[i * chosen.shape()[1] + network.at("label").data<int64_t>()[i]] = 1;
  }
  const Value cotangent = cnn.graph.input("chosen", DType::f32, chosen.shape());
  const Value slope = gradients(cnn.logits, std::vector{cnn.activation}, cotangent)[0];
  Executor run = make_executor(cnn.graph, std::vector{cnn.activation, slope});
  cnn.feed(run, network);
  run.feed(cotangent, chosen.view()).run({});
  check(test, "activation", Tensor(run.read(cnn.activation), nullptr), to_nhwc(file.at("activation")));
  check(test, "dactivation", Tensor(run.read(slope), nullptr), to_nhwc(file.at("dactivation")));
}

void check_blur(const TensorFile& file) {
  const Tensor& x = file.at("x");
  const Shape shape = x.shape();
  const Tensor y = gaussian_blur(x.reshaped({1, shape[0], shape[1], 1}), 7);
  int worst = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    worst = std::max(worst, std::abs(y.data<uint8_t>()[i] - file.at("y").data<uint8_t>()[i]));
  }
  CHECK(worst <= 1);  // OpenCV rounds in fixed point
}

}  // namespace

TEST_CASE("golden operations agree with PyTorch") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(goldens() / "ops")) {
    if (entry.path().extension() != ".safetensors") {
      continue;
    }
    const std::string test = entry.path().stem().string();
    CAPTURE(test);
    const TensorFile file = read_safetensors(entry.path());
    ++files;
    if (test.rfind("opt_", 0) == 0) {
      check_optimizer(test, file);
    } else if (test == "small_cnn") {
      check_fgsm(test, file);
    } else if (test == "gradcam") {
      check_grad_cam(test, file);
    } else if (test.rfind("gaussian_blur", 0) == 0) {
      check_blur(file);
    } else {
      check_operation(test, file);
    }
  }
  CHECK(files > 0);
}

}  // namespace fer::test
