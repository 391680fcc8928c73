// Every network: parameters as the papers print them, options, and that it learns.
#include <doctest/doctest.h>

#include "data/dataset.h"
#include "models/saved_model.h"
#include "tests/device.h"

namespace fer::test {

namespace {

// The loss before each Adam step on the same faces, at most `steps` of them: they end once every face is recognised.
// `accuracy`: the share recognised before the last.
struct Learning {
  std::vector<double> losses;
  double accuracy = 0;
};

Learning learn(const std::string& model, const ModelOptions& options, int64_t images, uint64_t steps, double rate) {
  const Dataset faces = synthetic_faces(images, 3);
  Graph graph;
  const Value pixels = graph.input("pixels", DType::u8, faces.images.shape());
  const Value labels = graph.input("labels", DType::i32, {images});
  const Value learning_rate = graph.input("learning_rate", DType::f32, {});
  const Value logits = make_model(model, graph, options)->forward(decode(pixels), Mode::training);
  const Value loss = cross_entropy(logits, labels);
  const Value correct = count_correct(logits, labels);
  const std::vector<Value> parameters = graph.trainable();
  const Value update = optimizer_step({}, learning_rate, parameters, gradients(loss, parameters));
  Executor step = make_executor(graph, std::vector{loss, correct, update}, std::make_shared<Variables>(1));
  Tensor rate_now(DType::f32, {});
  *rate_now.data<float>() = static_cast<float>(rate);
  Learning result;
  for (uint64_t i = 0; i < steps && result.accuracy < 1; ++i) {
    step.feed(pixels, faces.images.view()).feed(labels, faces.labels.view()).feed(learning_rate, rate_now.view());
    step.run({.seed = 1, .step = i});
    result.losses.push_back(static_cast<double>(step.scalar<float>(loss)));
    result.accuracy = static_cast<double>(step.scalar<int32_t>(correct)) / static_cast<double>(images);
  }
  return result;
}

}  // namespace

TEST_CASE("models: parameters as the papers and the libraries count them") {
  const auto published = [](int64_t size) {
    return ModelOptions{.classes = 1000, .size = size, .normalisation = Normalisation::none, .head = Head::published};
  };
  const struct {
    const char* model;
    ModelOptions options;
    int64_t total, trainable;
  } counts[] = {
      {"edl", {}, 32920391, 32798023},
      {"resnet50", {}, 23575495, 23522375},
      {"resnet50", {.classes = 10}, 23581642, 23528522},
      {"vggface", {.classes = 2622}, 145002878, 145002878},
      {"vggface", {}, 134289223, 134289223},
      {"vggface", {.classes = 10}, 134301514, 134301514},
      {"vggface", {.size = 48}, 33625927, 33625927},
      {"vanilla_cnn", {}, 1988743, 1986055},
      {"vanilla_cnn", {.classes = 10}, 2016394, 2013706},
      {"stn_resnet50", {}, 23712013, 23658893},
      {"se_separable", {}, 792419, 786467},
      {"se_separable", {.without = {"squeeze_excite"}}, 747879, 741927},
      {"se_separable", {.without = {"shortcut"}}, 612451, 608419},
      {"se_separable", {.without = {"separable"}}, 4973475, 4967523},
      {"se_separable", {.without = {"squeeze_excite", "shortcut", "separable"}}, 4748967, 4744935},
      {"efficientnet_b0", {}, 4058538, 4016515},
      {"mobilenet_v2", {}, 2422855, 2388743},
      {"cnn_5block", {.without = {"batch_norm"}}, 13095495, 13095495},
      {"mobilenet_v2", published(224), 3504872 + 34112, 3504872},
      {"resnet50", published(224), 25557032 + 53120, 25557032},
      {"densenet121", published(224), 7978856 + 83648, 7978856},
      {"vgg19", published(224), 143667240, 143667240},
      {"efficientnet_b0", published(224), 5288548 + 42016, 5288548},
      {"resnet50", {.classes = 1000, .convention = Convention::keras}, 25636712, 25583592},
  };
  for (const auto& expected : counts) {
    CAPTURE(expected.model);
    const ParameterCount count = count_parameters(expected.model, expected.options);
    CHECK(count.total == expected.total);
    CHECK(count.trainable == expected.trainable);
  }
}

TEST_CASE("models: a few steps lower the loss of every network") {
  for (const ModelEntry& entry : models()) {
    CAPTURE(entry.name);
    const Learning learning = learn(entry.name, {.size = 32, .dropout = 0, .drop_path = 0}, 6, 5, 3e-4);
    CAPTURE(learning.losses.front());
    CHECK(*std::min_element(learning.losses.begin() + 1, learning.losses.end()) < 0.9 * learning.losses[0]);
  }
}

TEST_CASE("models: the transformer network learns 64 faces by heart") {
  const Learning learning = learn("stn_resnet50", {.size = 32}, 64, 40, 1e-4);
  MESSAGE("loss ", learning.losses.front(), " -> ", learning.losses.back(), ", accuracy ", learning.accuracy);
  CHECK(learning.accuracy == 1);
}

TEST_CASE("models: every choice runs, and Keras' padding is not torchvision's") {
  const auto logits_shape = [](const std::string& model, const ModelOptions& options, const Shape& images) {
    Graph graph;
    const Value x = graph.input("x", DType::f32, images);
    return make_model(model, graph, options)->forward(x, Mode::evaluation).shape();
  };
  for (const ModelEntry& entry : models()) {
    CAPTURE(entry.name);
    for (Convention convention : {Convention::torchvision, Convention::keras}) {
      CHECK(logits_shape(entry.name, {.classes = 10, .size = 64, .channels = 3, .convention = convention},
                         {2, 48, 48, 1}) == Shape{2, 10});
    }
    for (const std::string& part : entry.parts) {
      CHECK(count_parameters(entry.name, {.without = {part}}).total != count_parameters(entry.name).total);
    }
  }
  CHECK(padded(3, 2, {.convention = Convention::keras}).same);
  CHECK(batch_norm_params({.convention = Convention::keras}).epsilon == 1e-3);
}

TEST_CASE("models: normalisation is inside, and differentiable") {
  const double pixel[] = {0.2, 0.5, 0.8};
  const struct {
    Normalisation normalisation;
    double expected[3];
  } cases[] = {
      {Normalisation::imagenet, {(0.2 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.8 - 0.406) / 0.225}},
      {Normalisation::symmetric, {-0.6, 0, 0.6}},
      {Normalisation::caffe, {0.8 * 255 - 103.939, 0.5 * 255 - 116.779, 0.2 * 255 - 123.68}},
  };
  for (const auto& one : cases) {
    Graph graph;
    const Value x = graph.input("x", DType::f64, {1, 1, 1, 3});
    const Value y = normalised(x, one.normalisation);
    const Value slope = gradients(sum(y), std::vector{x})[0];
    Executor executor(make_plan(graph, std::vector{y, slope}), Device::cpu, std::make_shared<Variables>(0));
    executor.feed(x, Tensor::from({1, 1, 1, 3}, pixel).view()).run({});
    for (int64_t c = 0; c < 3; ++c) {
      const double up = executor.read(y).as<const double>().data[c];
      CHECK(up == doctest::Approx(one.expected[c]).epsilon(1e-12));
      CHECK(executor.read(slope).as<const double>().data[c] > 0);
    }
  }
}

TEST_CASE("models: wrong options are told") {
  CHECK_THROWS_WITH_AS(count_parameters("cnn_2block", {.without = {"shortcut"}}),
                       "model cnn_2block: there is no part 'shortcut' to leave out; it has batch_norm", Error);
  CHECK_THROWS_WITH_AS(count_parameters("resnet50", {.without = {"shortcut"}}),
                       "model resnet50: there is no part 'shortcut' to leave out; it has none that can be", Error);
  CHECK_THROWS_AS(count_parameters("stn_resnet50", {.size = 16}), Error);
  CHECK_THROWS_AS(count_parameters("vgg19", {.size = 16, .head = Head::published}), Error);
  CHECK_THROWS_AS(count_parameters("cnn_2block", {.normalisation = Normalisation::imagenet}), Error);
  CHECK_THROWS_WITH_AS(choice_from<Head>("none"), "model: 'none' is none of paper, published", Error);
}

TEST_CASE("models: what a weights file says builds the same network") {
  const SavedModel saved{
      "se_separable",
      resolve(find_model("se_separable"),
              {.classes = 5, .size = 40, .dropout = 0.1, .batch_norm_momentum = 0.2, .without = {"squeeze_excite"}}),
      {"a", "b", "c", "d", "e"}};
  TensorFile file;
  file.metadata = to_metadata(saved);
  const SavedModel read = saved_model(file);
  CHECK(read.classes == saved.classes);
  CHECK(to_metadata(read) == file.metadata);
}

}  // namespace fer::test
