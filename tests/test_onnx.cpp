// ONNX files: that they are valid and hold what they should, that others compute the same, and `fer export`.
#include <doctest/doctest.h>
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "analysis/onnx.h"
#include "layers/weights.h"
#include "tensor/file.h"
#include "tests/evaluate.h"
#include "tests/golden.h"
#include "tests/onnx_elsewhere.h"
#include "tests/run_program.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

using Names = std::vector<std::string>;

onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(bytes));
  return model;
}

std::vector<int64_t> extents(const onnx::ValueInfoProto& value) {
  std::vector<int64_t> result;
  for (const auto& dimension : value.type().tensor_type().shape().dim()) {
    result.push_back(dimension.has_dim_param() ? -1 : dimension.dim_value());
  }
  return result;
}

// The standard's own checks, and that the shapes it infers end in the declared one.
void check_valid(const OnnxModel& exported) {
  onnx::ModelProto model = parsed(exported.bytes);
  onnx::checker::check_model(model);
  REQUIRE(model.graph().input_size() == 1);
  REQUIRE(model.graph().output_size() == 1);
  CHECK(extents(model.graph().input(0)) == exported.input);
  const std::vector<int64_t> declared = extents(model.graph().output(0));
  CHECK(declared == exported.output);
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), {true, 1, true});
  const std::vector<int64_t> inferred = extents(model.graph().output(0));
  REQUIRE(inferred.size() == declared.size());
  for (size_t axis = 0; axis < inferred.size(); ++axis) {
    CHECK((inferred[axis] == declared[axis] || (axis == 0 && declared[axis] == -1)));
  }
}

int64_t count(const OnnxModel& exported, const Names& types) {
  const onnx::ModelProto model = parsed(exported.bytes);
  const auto& nodes = model.graph().node();
  return std::count_if(nodes.begin(), nodes.end(), [&](const onnx::NodeProto& node) {
    return std::find(types.begin(), types.end(), node.op_type()) != types.end();
  });
}

int64_t count(const Graph& graph, const Names& operations) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    return std::find(operations.begin(), operations.end(), node.operation->name()) != operations.end();
  });
}

void fill_randomly(Tensor& tensor, RandomSequence random, float low, float high) {
  if (tensor.dtype() == DType::u8) {
    for (uint8_t& element : tensor.as<uint8_t>()) {
      element = static_cast<uint8_t>(random.below(256));
    }
    return;
  }
  for (float& element : tensor.as<float>()) {
    element = random.uniform(low, high);
  }
}

Tensor random_images(DType dtype, const Shape& shape) {
  Tensor images(dtype, shape);
  fill_randomly(images, RandomSequence(Philox(3, 0)), 0, 1);
  return images;
}

// A network with first values, but biases and the statistics and factors of batch-norms that are not 0 and 1.
LoadedNetwork make_loaded(const std::string& model, const ModelOptions& options) {
  LoadedNetwork loaded;
  loaded.network = make_network(model, options, 1);
  loaded.saved = {model, options, {"a", "b", "c", "d", "e", "f", "g"}};
  Graph graph;
  loaded.network.make(graph);
  for (Value variable : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(variable.id())];
    Tensor tensor = loaded.network.variables->get(record.name, record.type, record.initializer);
    if (tensor.shape().rank() == 1) {
      const bool about_one = record.name.ends_with("weight") || record.name.ends_with("running_var");
      fill_randomly(tensor, RandomSequence(Philox(hash_of(record.name), 0)), about_one ? 0.8F : -0.2F,
                    about_one ? 1.2F : 0.2F);
    }
  }
  return loaded;
}

// The same at a small size, or at the network's own when it cannot be small.
LoadedNetwork make_small(const ModelEntry& entry, int64_t& size) {
  try {
    size = 32;
    return make_loaded(entry.name, {.size = size});
  } catch (const Error&) {
    size = entry.size;
    return make_loaded(entry.name, {.size = size});
  }
}

Tensor own_logits(const LoadedNetwork& loaded, const Tensor& images) {
  Graph graph;
  const Value x = graph.input("x", DType::f32, images.shape());
  const Value logits = loaded.network.make(graph)->forward(x, Mode::evaluation);
  return evaluate({logits}, {{x, images}}, {}, loaded.network.variables)[0];
}

// Collects models and what they should give, and compares once.
class Elsewhere {
 public:
  void add(const std::string& name, const OnnxModel& model, const Tensor& input, const Tensor& expected) {
    runs_[name] = {model.bytes, input};
    expected_[name] = expected;
  }

  void compare(double tolerance) const {
    const OnnxResults results = run_elsewhere(runs_);
    if (results.engine.empty()) {
      MESSAGE("skipped: Python finds neither onnxruntime nor cv2, so nothing else can run the models");
      return;
    }
    for (const auto& [name, expected] : expected_) {
      CAPTURE(name);
      if (const auto lacking = results.lacking.find(name); lacking != results.lacking.end()) {
        MESSAGE(name, ": skipped: ", results.engine, " cannot run it: ", lacking->second);
        continue;
      }
      const std::vector<float>& result = results.result.at(name);
      REQUIRE(static_cast<int64_t>(result.size()) == expected.size());
      const double error = relative_distance(tensor_of(expected.shape(), result), expected);
      MESSAGE(name, ": ", results.engine, " differs by ", error);
      CHECK(error <= tolerance);
    }
  }

 private:
  std::map<std::string, OnnxRun> runs_;
  std::map<std::string, Tensor> expected_;
};

void check_initializers(const OnnxModel& exported, const Graph& graph, const Variables& variables) {
  const onnx::ModelProto model = parsed(exported.bytes);
  std::map<std::string, const onnx::TensorProto*> written;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    written[tensor.name()] = &tensor;
  }
  for (const ValueRecord& record : graph.values()) {
    if (record.kind != ValueKind::variable) {
      continue;
    }
    CAPTURE(record.name);
    REQUIRE(written.count(record.name) == 1);
    const onnx::TensorProto& tensor = *written[record.name];
    const Tensor expected = to_torch_layout(variables.at(record.name));
    Shape shape = expected.shape();
    if (tensor.dims_size() == 2 && shape.rank() == 4) {  // a dense layer kept as a 1x1 convolution
      shape = {shape[0], shape[1]};
    }
    CHECK(Shape(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())) == shape);
    std::vector<float> elements(static_cast<size_t>(expected.size()));
    REQUIRE(tensor.raw_data().size() == elements.size() * sizeof(float));
    std::memcpy(elements.data(), tensor.raw_data().data(), tensor.raw_data().size());
    std::vector<float> ours(expected.as<float>().begin(), expected.as<float>().end());
    if (record.type.shape.rank() == 2) {  // those behind a flattened map are in another order
      std::sort(elements.begin(), elements.end());
      std::sort(ours.begin(), ours.end());
    }
    CHECK((elements == ours));
  }
}

}  // namespace

TEST_CASE("onnx: every network, as it is, with batch-norms folded, and for images of another size") {
  for (const ModelEntry& entry : models()) {
    CAPTURE(entry.name);
    int64_t size = 0;
    const LoadedNetwork loaded = make_small(entry, size);
    const Shape image{size, size, entry.channels}, other{21, 27, 1};
    const OnnxModel plain = to_onnx(loaded, image, 0, false), folded = to_onnx(loaded, image, 2, true),
                    resampling = to_onnx(loaded, other, 0, false);
    for (const OnnxModel* model : {&plain, &folded, &resampling}) {
      check_valid(*model);
    }
    CHECK(plain.input == std::vector<int64_t>{-1, entry.channels, size, size});
    CHECK(plain.output == std::vector<int64_t>{-1, 7});
    CHECK(folded.input[0] == 2);
    CHECK(resampling.input == std::vector<int64_t>{-1, 1, 21, 27});
    CHECK(count(resampling, {"Resize"}) == 1);

    Graph graph;
    const Value x = graph.input("images", DType::f32, {2, size, size, entry.channels});
    loaded.network.make(graph)->forward(x, Mode::evaluation);
    check_initializers(plain, graph, *loaded.network.variables);
    int64_t parameters = 0;
    for (Value variable : graph.variables()) {
      parameters += variable.shape().size();
    }
    const bool normalises = entry.normalisation != Normalisation::none;  // with 4 constants of 3 channels
    CHECK(plain.parameters == parameters + (normalises ? 12 : 0));
    CHECK(count(plain, {"Transpose"}) == (entry.name == "stn_resnet50" ? 1 : 0));  // theta's; no map is turned
    const int64_t norms = count(graph, {"batch_norm_inference"});
    CHECK(count(plain, {"Conv"}) == count(graph, {"conv2d", "depthwise_conv2d"}));
    CHECK(count(plain, {"BatchNormalization"}) == norms);
    CHECK(plain.folded == 0);
    CHECK(count(folded, {"Conv"}) == count(plain, {"Conv"}));
    CHECK(count(folded, {"BatchNormalization"}) == norms - folded.folded);

    Elsewhere elsewhere;
    const Tensor images = random_images(DType::f32, {2, size, size, entry.channels}),
                 others = random_images(DType::f32, {3, 21, 27, 1});
    const Tensor logits = own_logits(loaded, images);
    elsewhere.add(entry.name, plain, images, logits);
    elsewhere.add(entry.name + ", folded", folded, images, logits);
    elsewhere.add(entry.name + ", resampling", resampling, others, own_logits(loaded, others));
    elsewhere.compare(1e-5);
  }
}

TEST_CASE("onnx: folding takes every batch-norm behind a convolution, and no other") {
  const LoadedNetwork mobile = make_loaded("mobilenet_v2", {.size = 32});
  const OnnxModel folded = to_onnx(mobile, {32, 32, 3}, 1, true);
  CHECK(folded.folded == 52);
  CHECK(count(folded, {"BatchNormalization"}) == 0);
  // A convolution of paper 004 is followed by its activation first.
  const LoadedNetwork cnn = make_loaded("cnn_1block", {.size = 8});
  CHECK(to_onnx(cnn, {8, 8, 1}, 1, true).folded == 0);

  const auto variables = std::make_shared<Variables>(1);
  Graph graph;
  const Value x = graph.input("images", DType::f32, {2, 5, 6, 3});
  const auto make = [&](const std::string& name, Shape shape, double middle) {
    const Value made = graph.variable(name, {DType::f32, shape}, nullptr, true);
    Tensor tensor = variables->get(name, made.type(), nullptr);
    fill_randomly(tensor, RandomSequence(Philox(hash_of(name), 0)), static_cast<float>(middle - 0.5),
                  static_cast<float>(middle + 0.5));
    return made;
  };
  const auto norm = [&](const std::string& name, Value of) {
    return batch_norm(of, make(name + ".weight", {3}, 1), make(name + ".bias", {3}, 0),
                      make(name + ".running_mean", {3}, 0), make(name + ".running_var", {3}, 1), {.epsilon = 1e-3},
                      false);
  };
  const Value dense = make("dense.weight", {3, 3, 3, 3}, 0);
  const Value filters = make("filters.weight", {3, 3, 3}, 0), bias = make("filters.bias", {3}, 0);
  const Conv2dParams params{.padding = symmetric_padding(1)};
  // The first convolution's weight has a second reader; the result of the third is read by the sum as well; the last
  // batch-norm stands behind another.
  const Value once = norm("once", conv2d(x, dense, {}, params)), twice = conv2d(once, dense, {}, params);
  const Value depthwise = norm("depthwise", depthwise_conv2d(twice, filters, bias, params));
  const Value pointwise = conv2d(depthwise, make("pointwise.weight", {3, 1, 1, 3}, 0), {}, {});
  const Value third = conv2d(pointwise, make("third.weight", {3, 1, 1, 3}, 0), {}, {});
  const Value y = add(norm("last", norm("pointwise_norm", pointwise)), add(norm("third_norm", third), third));
  const Value result = flatten(y);
  const OnnxModel some = to_onnx(result, "y", *variables, {.fold = true});
  check_valid(some);
  CHECK(some.folded == 1);
  const onnx::ModelProto model = parsed(some.bytes);
  const auto holds_initializer = [&](const std::string& name) {
    const auto& all = model.graph().initializer();
    return std::any_of(all.begin(), all.end(), [&](const auto& tensor) { return tensor.name() == name; });
  };
  CHECK(!holds_initializer("depthwise.running_mean"));
  CHECK(holds_initializer("third_norm.running_mean"));
  Elsewhere elsewhere;
  const Tensor images = random_images(DType::f32, x.shape());
  elsewhere.add("some", some, images, evaluate({result}, {{x, images}}, {}, variables)[0]);
  elsewhere.compare(1e-5);
}

TEST_CASE("onnx: operations that the networks need not have") {
  const auto variables = std::make_shared<Variables>(1);
  Graph graph;
  const Value pixels = graph.input("pixels", DType::u8, {2, 7, 9, 3});
  const Value x = decode(pixels);
  const auto weight = [&](const std::string& name, Shape shape) {
    const Value made = graph.variable(name, {DType::f32, shape}, nullptr, true);
    Tensor tensor = variables->get(name, made.type(), nullptr);
    fill_randomly(tensor, RandomSequence(Philox(hash_of(name), 0)), -0.3F, 0.3F);
    return made;
  };
  const Value parts[] = {slice_channels(x, 1, 2), scale(slice_channels(x, 0, 1), -1.5)};
  const Value mixed = clamp(multiply(concat(parts), x), -0.4, 0.5);
  const Value pooled = average_pool(mixed, {.kernel = 3, .stride = 2});  // [2,3,4,3]
  const Value largest = max_pool(mixed, {.kernel = 3, .stride = 2, .padding = {1, 0, 0, 1}});
  const Value theta = reshape(linear(flatten(pooled), weight("theta", {6, 36}), {}), {2, 2, 3});
  const Value seen = affine_grid_sample(x, theta, 5, 4);
  const Value folded_up = reshape(seen, {2, 2, 5, 6}),
              grown = resize_bilinear(replicate_channels(slice_channels(folded_up, 5, 1), 3), 4, 3);
  const Value joined[] = {silu(flatten(folded_up)), sigmoid(flatten(grown)), tanh(flatten(largest)),
                          relu(linear(global_average_pool(mixed), weight("means", {4, 3}), weight("shift", {4})))};
  const Value result = softmax(concat(joined));
  const Tensor images = random_images(DType::u8, pixels.shape());
  const Tensor expected = evaluate({result}, {{pixels, images}}, {}, variables)[0];
  Elsewhere elsewhere;
  const OnnxModel fixed = to_onnx(result, "y", *variables, {});
  const OnnxModel any = to_onnx(result, "y", *variables, {.any_batch = true});
  check_valid(fixed);
  check_valid(any);
  CHECK(fixed.opset == 16);
  CHECK(fixed.input == std::vector<int64_t>{2, 3, 7, 9});
  elsewhere.add("operations, fixed", fixed, images, expected);
  elsewhere.add("operations, any batch", any, images, expected);

  const Value shifted = add(x, constant(graph, x.type(), 0.25));
  const Value sum = flatten(relu6(scale(shifted, 7)));
  const OnnxModel constants = to_onnx(sum, "y", *variables, {});
  check_valid(constants);
  CHECK(constants.opset == 10);
  elsewhere.add("constants", constants, images, evaluate({sum}, {{pixels, images}}, {}, variables)[0]);
  elsewhere.compare(1e-5);
}

TEST_CASE("onnx: what cannot be written is named") {
  const Variables none(0);
  const auto refusal = [&](const std::function<Value(Value)>& record, bool any_batch) {
    return error_of([&] {
      Graph graph;
      const Value x = graph.input("images", DType::f32, {2, 4, 4, 3});
      const Restore scope(graph.scope, std::string("blocks.1"));
      to_onnx(record(x), "y", none, {.any_batch = any_batch});
    });
  };
  CHECK(holds(refusal([](Value x) { return dropout(x, 0.5); }, false), "onnx: dropout in blocks.1", "no ONNX form"));
  CHECK(holds(refusal([](Value x) { return add(x, constant(x.graph(), x.type(), 1)); }, true), "onnx: constant",
              "batch", "fixed"));
  CHECK(holds(refusal([](Value x) { return reshape(x, {8, 12}); }, true), "onnx: reshape", "batch", "fixed"));
  CHECK(refusal([](Value x) { return reshape(x, {8, 12}); }, false) == "no error");
  CHECK(holds(refusal([](Value x) { return x; }, false), "not computed"));
  CHECK(holds(refusal([](Value x) { return add(x, x.graph().input("more", DType::f32, x.shape())); }, false), "'more'",
              "one"));
  CHECK(holds(refusal(
                  [](Value x) {
                    Graph& graph = x.graph();
                    const auto vector = [&](float value) { return constant(graph, {DType::f32, {3}}, value); };
                    return batch_norm(x, vector(1), vector(0), vector(0), vector(1), {}, true);
                  },
                  false),
              "onnx: batch_norm in blocks.1"));
}

TEST_CASE("onnx: fer export") {
  const TemporaryFolder folder;
  const std::string weights = folder / "weights.safetensors", out = folder / "model.onnx";
  const LoadedNetwork loaded = make_loaded("se_separable", {.size = 16});
  write_safetensors(weights, weight_file(*loaded.network.variables, to_metadata(loaded.saved)));

  ProgramResult result = run_program({"export", weights, "--out", out});
  INFO(result.errors);
  REQUIRE(result.status == 0);
  CHECK(holds(result.out, out, "se_separable", "[N,1,16,16]", "[N,7]", "opset 10"));
  CHECK(read_file(out) == to_onnx(loaded, {16, 16, 1}, 0, false).bytes);

  result =
      run_program({"export", weights, "--out", out, "--fold", "--batch", "4", "--input-size", "20,24,1", "--json"});
  REQUIRE(result.status == 0);
  const auto json = nlohmann::json::parse(result.out);
  const OnnxModel expected = to_onnx(loaded, {20, 24, 1}, 4, true);
  CHECK(json.at("folded") == expected.folded);
  CHECK(json.at("input") == nlohmann::json{4, 1, 20, 24});
  CHECK(json.at("bytes") == expected.bytes.size());
  const std::string written = read_file(out);
  CHECK(written == expected.bytes);

  const auto metadata = parsed(written).metadata_props();
  CHECK(std::any_of(metadata.begin(), metadata.end(), [](const auto& entry) {
    return entry.key() == "classes" && entry.value() == R"(["a","b","c","d","e","f","g"])";
  }));

  const auto fails = [&](const std::vector<std::string>& arguments, int status, const auto&... parts) {
    const ProgramResult failed = run_program(arguments);
    INFO(failed.errors);
    CHECK(failed.status == status);
    CHECK(std::count(failed.errors.begin(), failed.errors.end(), '\n') == 1);
    CHECK(holds(failed.errors, parts...));
    CHECK(read_file(out) == written);
  };
  fails({"export", weights, "--out", out, "--batch", "0"}, 1, "--batch '0'", "dynamic");
  fails({"export", weights, "--out", out, "--batch", "some"}, 1, "--batch 'some'");
  fails({"export", weights, "--out", out, "--input-size", "20,0,1"}, 1, "--input-size 20,0,1", "positive");
  fails({"export", weights, "--out", out, "--input-size", "20,20,2"}, 1, "se_separable", "channels");
  fails({"export", weights, "--out", out, "--input-size", "20,20"}, 2, "--input-size");
  fails({"export", weights}, 2, "--out");
  fails({"export", folder / "nothing", "--out", out}, 1, "nothing");
  fails({"export", weights, "--out", folder / "no" / "model.onnx"}, 1, "no/model.onnx");
  const ProgramResult full = run_program({"export", weights, "--out", out}, 100'000);
  CHECK(full.status == 1);
  CHECK(read_file(out) == written);
}

}  // namespace fer::test
