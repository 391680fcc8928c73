// Weights files of every origin: names, layouts, what is adapted, what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "autograd/executor.h"
#include "layers/weights.h"
#include "models/pretrained.h"
#include "models/saved_model.h"
#include "models/weight_names.h"
#include "tensor/file.h"
#include "tests/keras_file.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

constexpr const char* published[] = {"mobilenet_v2", "resnet50", "densenet121", "vgg19", "efficientnet_b0"};

ModelOptions options_for(const std::string& model, Convention convention = Convention::torchvision,
                         int64_t classes = 7) {
  ModelOptions options;
  options.size = 32;
  options.classes = classes;
  options.convention = convention;
  options.normalisation = Normalisation::none;
  options.head = Head::published;
  return resolve(find_model(model), options);
}

// A network whose every variable, running statistics too, has values drawn from the seed.
Network random_network(const std::string& model, const ModelOptions& options, uint64_t seed) {
  const Network network = make_network(model, options, seed);
  Graph graph;
  network.make(graph);
  for (Value value : graph.variables()) {
    const ValueRecord& record = graph.values()[static_cast<size_t>(value.id())];
    const Tensor tensor = network.variables->get(record.name, record.type, record.initializer);
    RandomSequence random(Philox(seed ^ hash_of(record.name), 9));
    if (tensor.shape().rank() == 1) {
      for (float& element : tensor.as<float>()) {
        element = 0.5F + random.uniform();
      }
    }
  }
  return network;
}

std::vector<float> logits_of(const Network& network, int64_t channels = 3) {
  Graph graph;
  const Value x = graph.input("images", DType::f32, {2, 32, 32, channels});
  const Value logits = network.make(graph)->forward(x, Mode::evaluation);
  Tensor images(DType::f32, x.shape());
  const Philox noise(4, 0);
  for (int64_t i = 0; i < images.size(); ++i) {
    images.data<float>()[i] = noise.uniform(static_cast<uint64_t>(i));
  }
  Executor executor(make_plan(graph, std::vector{logits}), Device::cpu, network.variables);
  executor.feed(x, images.view()).run({});
  const auto view = executor.read(logits).as<const float>();
  return {view.begin(), view.end()};
}

// Zero everywhere: nothing of what it was can be mistaken for what is loaded.
void forget(const Network& network) {
  for (const auto& [name, tensor] : network.variables->all()) {
    std::fill_n(tensor.data<float>(), tensor.size(), 0.0F);
  }
}

TensorFile saved(const Network& network) { return weight_file(*network.variables, {}); }

// The layers of a network as Keras would save them: its convolutions, dense layers and batch-norms.
std::vector<KerasLayer> keras_layers(const std::string& model, const Network& network) {
  std::vector<KerasLayer> layers;
  const std::vector<LayerNames> names = layer_names(model);
  for (const LayerNames& layer : names) {
    const std::vector<std::string> leaves =
        layer.norm ? std::vector<std::string>{"weight", "bias", "running_mean", "running_var"}
                   : std::vector<std::string>{"weight", "bias"};
    KerasLayer& written = layers.emplace_back(KerasLayer{layer.keras.front(), {}});
    for (const std::string& leaf : leaves) {
      const std::string variable = layer.ours + "." + leaf;
      if (!network.variables->contains(variable)) {
        continue;
      }
      const Tensor tensor = network.variables->at(variable);
      const bool flattened = tensor.shape().rank() == 5;
      written.weights.emplace_back(
          names_in_keras(names, variable).front() + ":0",
          in_keras_layout(flattened ? tensor.reshaped({tensor.shape()[0], tensor.size() / tensor.shape()[0]})
                                    : to_torch_layout(tensor)));
    }
  }
  return layers;
}

std::vector<std::string> load(const std::string& model, const ModelOptions& options, const std::string& weights,
                              const Network& into, bool partial = false) {
  return Pretrained(model, weights).load(options, partial, into);
}

}  // namespace

TEST_CASE("weights: known names") {
  const auto check = [](const char* model, const std::string& variable, const std::string& torch,
                        const std::string& keras) {
    CAPTURE(variable);
    const std::vector<LayerNames> layers = layer_names(model);
    CHECK(names_in_safetensors(layers, variable).back() == torch);
    CHECK(names_in_keras(layers, variable).front() == keras);
  };
  check("mobilenet_v2", "features.0.1.running_var", "bn1.running_var", "bn_Conv1/moving_variance");
  check("mobilenet_v2", "features.1.conv.1.weight", "blocks.0.0.conv_pw.weight", "expanded_conv_project/kernel");
  check("mobilenet_v2", "features.5.conv.1.0.weight", "blocks.2.1.conv_dw.weight", "block_4_depthwise/kernel");
  check("mobilenet_v2", "features.17.conv.3.bias", "blocks.6.0.bn3.bias", "block_16_project_BN/beta");
  check("resnet50", "layer3.5.bn2.weight", "layer3.5.bn2.weight", "conv4_block6_2_bn/gamma");
  check("resnet50", "layer1.0.downsample.0.weight", "layer1.0.downsample.0.weight", "conv2_block1_0_conv/kernel");
  check("densenet121", "features.denseblock3.denselayer24.conv2.weight",
        "features.denseblock3.denselayer24.conv.2.weight", "conv4_block24_2_conv/kernel");
  check("densenet121", "features.denseblock1.denselayer1.norm1.bias", "features.denseblock1.denselayer1.norm.1.bias",
        "conv2_block1_0_bn/beta");
  check("densenet121", "features.transition3.conv.weight", "features.transition3.conv.weight", "pool4_conv/kernel");
  check("vgg19", "features.34.bias", "features.34.bias", "block5_conv4/bias");
  check("vgg19", "classifier.3.weight", "pre_logits.fc2.weight", "fc2/kernel");
  check("efficientnet_b0", "features.1.0.block.1.fc2.bias", "blocks.0.0.se.conv_expand.bias", "block1a_se_expand/bias");
  check("efficientnet_b0", "features.6.3.block.3.0.weight", "blocks.5.3.conv_pwl.weight",
        "block6d_project_conv/kernel");
}

TEST_CASE("weights: every variable of a published network has one name in each scheme, and each its own") {
  for (const char* model : published) {
    CAPTURE(model);
    Graph graph;
    make_model(model, graph, options_for(model));
    const std::vector<LayerNames> layers = layer_names(model);
    std::set<std::string> owners, torch, keras;
    for (Value value : graph.variables()) {
      const std::string& name = graph.values()[static_cast<size_t>(value.id())].name;
      CAPTURE(name);
      owners.insert(name.substr(0, name.rfind('.')));
      CHECK(torch.insert(names_in_safetensors(layers, name).back()).second);
      REQUIRE(!names_in_keras(layers, name).empty());
      CHECK(keras.insert(names_in_keras(layers, name).front()).second);
    }
    CHECK(owners.size() == layers.size());
  }
}

TEST_CASE("weights: torchvision's, timm's and Keras' names give the same logits bit for bit") {
  for (const std::string model : published) {
    CAPTURE(model);
    const TemporaryFolder folder;
    const std::vector<LayerNames> layers = layer_names(model);
    {
      const ModelOptions options = options_for(model);
      const Network network = random_network(model, options, 1);
      const std::vector<float> expected = logits_of(network);
      TensorFile ours = saved(network), other;
      for (const auto& [name, tensor] : ours.tensors) {
        other.tensors.emplace(names_in_safetensors(layers, name).back(), tensor);
      }
      write_safetensors(folder / "torchvision.safetensors", ours);
      write_safetensors(folder / "timm.safetensors", other);
      for (const char* name : {"torchvision.safetensors", "timm.safetensors"}) {
        CAPTURE(name);
        forget(network);
        const std::vector<std::string> notes = load(model, options, folder / name, network);
        REQUIRE(notes.size() == 1);
        CHECK(holds(notes[0], "--normalise imagenet", "has none"));
        CHECK(logits_of(network) == expected);
      }
    }
    const ModelOptions options = options_for(model, Convention::keras);
    const Network network = random_network(model, options, 1);
    const std::vector<float> expected = logits_of(network);
    write_keras(folder / "keras.h5", keras_layers(model, network));
    forget(network);
    load(model, options, folder / "keras.h5", network);
    CHECK(logits_of(network) == expected);
  }
}

TEST_CASE("weights: saved files have PyTorch's keys, and load again") {
  const TemporaryFolder folder;
  const ModelOptions options = options_for("mobilenet_v2");
  const Network network = random_network("mobilenet_v2", options, 1);
  const TensorFile file = weight_file(*network.variables, {}, {.batches_tracked = 42});
  CHECK(file.tensors.size() == 314);  // of torchvision's state_dict
  CHECK(*file.at("features.0.1.num_batches_tracked").data<int64_t>() == 42);
  CHECK(file.at("features.0.1.num_batches_tracked").shape() == Shape{});
  CHECK(file.at("features.0.0.weight").shape() == Shape{32, 3, 3, 3});
  CHECK(file.at("features.1.conv.0.0.weight").shape() == Shape{32, 1, 3, 3});
}

TEST_CASE("weights: the classifier is replaced when classes differ or the head is another, and that is said") {
  const TemporaryFolder folder;
  const ModelOptions thousand = options_for("mobilenet_v2", Convention::torchvision, 10);
  const Network from = random_network("mobilenet_v2", thousand, 1);
  write_safetensors(folder / "a.safetensors", saved(from));
  for (const Head head : {Head::published, Head::paper}) {
    ModelOptions options = options_for("mobilenet_v2");
    options.head = head;
    options.normalisation = Normalisation::imagenet;
    const Network into = random_network("mobilenet_v2", options, 2);
    const std::vector<std::string> notes = load("mobilenet_v2", options, folder / "a.safetensors", into);
    REQUIRE(!notes.empty());
    INFO(notes[0]);
    if (head == Head::published) {
      CHECK(notes.size() == 1);
      CHECK(holds(notes[0], "a.safetensors", "classifier is replaced", "'classifier.1.weight' is [10,1280]", "[7,1280]",
                  "classifier.1.weight, classifier.1.bias keep"));
    } else {
      REQUIRE(notes.size() == 2);
      CHECK(holds(notes[0], "classifier is replaced", "no 'classifier.0.weight'", "classifier.3.bias"));
      CHECK(holds(notes[1], "2 tensors have no place", "classifier.1.bias, classifier.1.weight"));
    }
    const Tensor loaded = into.variables->at("features.18.1.running_var");
    CHECK(loaded.data<float>()[5] == from.variables->at("features.18.1.running_var").data<float>()[5]);
  }
}

TEST_CASE("weights: the first convolution is adapted between grey and colour") {
  const TemporaryFolder folder;
  for (const int64_t channels : {1, 3}) {
    CAPTURE(channels);
    ModelOptions from_options = options_for("resnet50"), to_options = from_options;
    from_options.channels = channels;
    to_options.channels = 4 - channels;
    const Network from = random_network("resnet50", from_options, 1), into = random_network("resnet50", to_options, 2);
    write_safetensors(folder / "a.safetensors", saved(from));
    const std::vector<std::string> notes = load("resnet50", to_options, folder / "a.safetensors", into);
    REQUIRE(!notes.empty());
    CHECK(holds(notes[0], "conv1.weight", channels == 3 ? "summed into one" : "spread over three"));
    // Grey images, which the colour network sees in three equal channels, give both the same.
    const std::vector<float> expected = logits_of(from, 1), actual = logits_of(into, 1);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-4));
    }
  }
}

TEST_CASE("weights: errors name the tensor, the file and both shapes") {
  const TemporaryFolder folder;
  const ModelOptions options = options_for("resnet50");
  const Network network = random_network("resnet50", options, 1);
  const std::string path = folder / "bad.safetensors";
  const auto refused = [&](TensorFile file, bool partial = false) {
    write_safetensors(path, file);
    return error_of([&] { load("resnet50", options, path, network, partial); });
  };
  TensorFile file = saved(network);
  file.tensors.erase("layer2.1.bn2.running_mean");
  CHECK(holds(refused(file), path, "no tensor 'layer2.1.bn2.running_mean'", "[128]", "--partial"));
  CHECK(refused(file, true) == "no error");
  file = saved(network);
  file.tensors["layer1.0.conv2.weight"] = Tensor(DType::f32, {64, 64, 5, 5});
  CHECK(holds(refused(file), path, "'layer1.0.conv2.weight'", "[64,64,5,5]", "expected [64,64,3,3]"));
  CHECK(holds(refused(file, true), path, "'layer1.0.conv2.weight'"));
  file.tensors["layer1.0.conv2.weight"] = Tensor(DType::i64, {64, 64, 3, 3});
  CHECK(holds(refused(file), path, "'layer1.0.conv2.weight'", "i64", "f32"));
  file = saved(network);
  file.tensors["hello"] = Tensor(DType::f32, {2});
  write_safetensors(path, file);
  CHECK(holds(load("resnet50", options, path, network)[0], "1 tensors have no place", "hello"));

  write_file(folder / "weights.pt", "PK\x03\x04 and so on");
  CHECK(holds(error_of([&] { Pretrained("resnet50", folder / "weights.pt"); }), "weights.pt", "zip", ".safetensors"));
  CHECK(holds(error_of([&] { Pretrained("resnet50", folder / "none.h5"); }), "none.h5", "cannot be opened"));
}

TEST_CASE("weights: a file of a backbone fills a part of a network") {
  const TemporaryFolder folder;
  const auto path = [&](const char* name) { return (folder / name).string(); };
  for (const char* model : {"densenet121", "vgg19", "resnet50"}) {
    ModelOptions options = options_for(model);
    options.head = Head::paper;
    write_safetensors(path(model), saved(random_network(model, options, 1)));
  }
  // Whether the variable, a vector, is the tensor of the file.
  const auto filled = [&](const Network& network, const std::string& variable, const char* file,
                          const std::string& origin) {
    const Tensor a = network.variables->at(variable), b = read_safetensors(path(file)).at(origin);
    return a.shape() == b.shape() && std::equal(a.as<float>().begin(), a.as<float>().end(), b.as<float>().begin());
  };
  const auto untouched = [](const Network& network, const std::string& variable) {
    const auto values = network.variables->at(variable).as<float>();
    return std::all_of(values.begin(), values.end(), [](float one) { return one == 0; });
  };
  const ModelOptions options = options_for("edl");
  const Network edl = random_network("edl", options, 2);
  forget(edl);
  load("edl", options, "densenet=" + path("densenet121") + ",vgg=" + path("vgg19"), edl);
  CHECK(filled(edl, "densenet.denseblock4.denselayer16.norm1.weight", "densenet121",
               "features.denseblock4.denselayer16.norm1.weight"));
  CHECK(filled(edl, "vgg.34.bias", "vgg19", "features.34.bias"));
  CHECK(!untouched(edl, "vgg.34.weight"));
  CHECK(untouched(edl, "mobilenet.18.1.weight"));
  CHECK(untouched(edl, "output.weight"));

  const ModelOptions stn_options = options_for("stn_resnet50");
  const Network stn = random_network("stn_resnet50", stn_options, 2);
  forget(stn);
  load("stn_resnet50", stn_options, "resnet=" + path("resnet50"), stn);
  CHECK(filled(stn, "resnet.layer4.2.bn3.running_var", "resnet50", "layer4.2.bn3.running_var"));
  CHECK(filled(stn, "resnet.fc.bias", "resnet50", "fc.bias"));
  CHECK(untouched(stn, "localization.0.weight"));

  CHECK(holds(error_of([&] { Pretrained("edl", "densenet=" + path("densenet121") + ",vgg16=x"); }), "'vgg16=x'",
              "densenet=FILE, mobilenet=FILE, vgg=FILE"));
}

TEST_CASE("weights: Keras files in their variants") {
  const TemporaryFolder folder;
  const std::string path = folder / "keras.h5", model = "mobilenet_v2";
  const ModelOptions options = options_for(model, Convention::keras);
  const Network network = random_network(model, options, 1);
  const std::vector<float> expected = logits_of(network);
  const std::vector<KerasLayer> layers = keras_layers(model, network);
  const auto check = [&](const char* what, const std::vector<KerasLayer>& written,
                         const KerasFileOptions& file_options) {
    CAPTURE(what);
    write_keras(path, written, file_options);
    const Network loaded = random_network(model, options, 2);
    const std::vector<std::string> notes = load(model, options, path, loaded);
    CHECK(logits_of(loaded) == expected);
    REQUIRE(notes.size() == 1);
    CHECK(holds(notes[0], "--normalise symmetric"));
  };
  check("weights alone, at the root", layers, {.whole_model = false});
  check("names in parts", layers, {.names_a_part = 3});
  check("names of any length", layers, {.variable_length = true});

  std::vector<KerasLayer> old = layers;
  old.insert(old.begin(), KerasLayer{"input_1", {}});
  for (KerasLayer& layer : old) {
    for (size_t i = 0; i < layer.weights.size(); ++i) {
      layer.weights[i].first = layer.name + "_W" + std::to_string(i);
    }
  }
  old.back().name = "Logits";
  check("another spelling of weights and classifier", old, {});

  KerasLayer inner{"mobilenetv2_1.00_32", {}};
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    inner.weights.insert(inner.weights.end(), layers[i].weights.begin(), layers[i].weights.end());
  }
  check("a model inside a model", {inner, layers.back()}, {});

  write_keras(path, {layers.begin(), layers.end() - 1});
  const Network without_top = random_network(model, options, 2);
  const std::vector<std::string> notes = load(model, options, path, without_top);
  REQUIRE(notes.size() == 2);
  CHECK(holds(notes[0], "classifier is replaced", "no 'predictions/kernel' (for classifier.1.weight)"));
}

TEST_CASE("weights: what is wrong with a Keras file is said") {
  const TemporaryFolder folder;
  const std::string path = folder / "keras.h5", model = "resnet50";
  const ModelOptions options = options_for(model, Convention::keras);
  const Network network = random_network(model, options, 1);
  std::vector<KerasLayer> layers = keras_layers(model, network);
  const auto refused = [&] { return error_of([&] { load(model, options, path, network); }); };
  write_keras(path, layers);

  CHECK(Pretrained(model, path).convention() == Convention::keras);
  const ModelOptions torchvision = options_for(model);
  CHECK(holds(error_of([&] { load(model, torchvision, path, make_network(model, torchvision, 0)); }), path,
              "convention keras", "--convention keras"));
  CHECK(holds(error_of([&] {
                const ModelOptions cnn = resolve(find_model("cnn_2block"), {.convention = Convention::keras});
                load("cnn_2block", cnn, path, make_network("cnn_2block", cnn, 0));
              }),
              path, "cnn_2block"));

  layers[4].weights[0].second = Tensor(DType::f32, {3, 3, 64, 32});
  write_keras(path, layers);
  CHECK(holds(refused(), path, layers[4].name + "/kernel", "[32,64,3,3]", "expected [64,64,3,3]"));
  layers.erase(layers.begin() + 4);
  write_keras(path, layers);
  CHECK(holds(refused(), path, "no tensor 'conv2_block1_2_conv/kernel' (for layer1.0.conv2.weight)"));

  const std::string whole = read_file(path);
  write_file(path, whole.substr(0, whole.size() / 2));
  CHECK(holds(refused(), path, "damaged"));
  write_keras(path, {{"layers", {}}}, {.whole_model = false, .list_layers = false});
  CHECK(holds(refused(), path, "Keras 3", "model.save(\"model.h5\")"));
  write_keras(path, {{"something", {}}}, {.whole_model = false, .list_layers = false});
  CHECK(holds(refused(), path, "layer_names", "not written by Keras"));
}

}  // namespace fer::test
