// Grad-CAM on whole networks: layers by name, maps against the graph's own gradient, comparisons and pictures.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "analysis/gradcam.h"
#include "data/dataset.h"
#include "models/saved_model.h"

namespace fer::test {

TEST_CASE("grad-cam: layers and the default one") {
  const Network cnn = make_network("cnn_3block", {.size = 48}, 1);
  const auto layers = convolution_layers(cnn, {48, 48, 1});
  REQUIRE(layers.size() == 9);
  CHECK(layers.front().name == "blocks.0.0.conv");
  CHECK(layers.front().map == Shape{48, 48, 64});
  CHECK(layers.back().map == Shape{12, 12, 256});
  CHECK(default_layer(layers) == "blocks.2.3.conv");
  // On small faces the deep maps say little of where.
  CHECK(default_layer(convolution_layers(make_network("cnn_3block", {.size = 16}, 1), {16, 16, 1})) ==
        "blocks.1.2.conv");
  CHECK(default_layer(convolution_layers(make_network("cnn_1block", {.size = 4}, 1), {4, 4, 1})) == "blocks.0.0.conv");
  const std::string deep = default_layer(convolution_layers(make_network("mobilenet_v2", {}, 1), {75, 75, 3}));
  CHECK(deep == "features.14.conv.0.0");
}

TEST_CASE("grad-cam: maps of any layer do not depend on the batch and follow the definition") {
  const Network network = make_network("se_separable", {.size = 16}, 2);
  const Tensor images = unit_images(synthetic_faces(5, 6));
  const Shape shape{48, 48, 1};
  const std::vector<int32_t> classes = {0, 3, 6, 1, 3};
  for (const ConvolutionLayer& layer : convolution_layers(network, shape)) {
    CAPTURE(layer.name);
    const Tensor maps = GradCam(network, shape, layer.name, 5).maps(images, classes);
    CHECK(maps.shape() == Shape{5, layer.map[0], layer.map[1], 1});
    const Tensor again = GradCam(network, shape, layer.name, 2).maps(images, classes);
    float most = 0;
    for (int64_t i = 0; i < maps.size(); ++i) {
      CHECK(maps.data<float>()[i] >= 0);
      most = std::max(most, maps.data<float>()[i]);
    }
    for (int64_t i = 0; i < maps.size(); ++i) {
      CHECK(std::abs(maps.data<float>()[i] - again.data<float>()[i]) <= 1e-5f * most);
    }
  }
}

TEST_CASE("grad-cam: on a network of one linear layer behind its map, the weights are known") {
  // The last convolution's activation goes through batch-norm (running statistics 0 and 1) and 2x2 maxima into the
  // linear layer.
  const Network network = make_network("cnn_1block", {.size = 8}, 5);
  const Tensor images = unit_images(synthetic_faces(1, 6));
  const std::vector<int32_t> classes = {2};
  const Tensor maps = GradCam(network, {48, 48, 1}, "blocks.0.1.conv", 1).maps(images, classes);
  Graph graph;
  const Value x = graph.input("images", DType::f32, {1, 48, 48, 1});
  network.make(graph)->forward(x, Mode::evaluation);
  // The activation behind the layer: the relu that reads the convolution's output.
  int activation = -1;
  for (const Node& node : graph.nodes()) {
    if (node.operation->name() == "relu") {
      activation = node.outputs[0];
    }
  }
  REQUIRE(activation >= 0);
  Executor run(make_plan(graph, std::vector{Value(&graph, activation)}), Device::cpu, network.variables);
  run.feed(x, images.view()).run({});
  const Tensor a = Tensor(run.read(Value(&graph, activation)), nullptr).clone();

  // d logit / d activation by hand: the class's weight, times gamma / sqrt(1 + eps), at the largest of each 2x2.
  const Tensor weight = network.variables->at("output.weight");
  Tensor gradient(DType::f32, a.shape());
  for (int64_t c = 0; c < 64; ++c) {
    for (int64_t r = 0; r < 4; ++r) {
      for (int64_t q = 0; q < 4; ++q) {
        int64_t best = (2 * r * 8 + 2 * q) * 64 + c;
        for (const int64_t at : {(2 * r * 8 + 2 * q + 1) * 64 + c, ((2 * r + 1) * 8 + 2 * q) * 64 + c,
                                 ((2 * r + 1) * 8 + 2 * q + 1) * 64 + c}) {
          best = a.data<float>()[at] > a.data<float>()[best] ? at : best;
        }
        gradient.data<float>()[best] = weight.data<float>()[2 * 1024 + (r * 4 + q) * 64 + c] / std::sqrt(1.001f);
      }
    }
  }
  const Tensor expected = grad_cam(a, gradient);
  REQUIRE(maps.shape() == expected.shape());
  float most = 0;
  for (float value : expected.as<const float>()) {
    most = std::max(most, value);
  }
  CHECK(most > 0);
  for (int64_t i = 0; i < maps.size(); ++i) {
    CHECK(std::abs(maps.data<float>()[i] - expected.data<float>()[i]) <= 1e-5f * most);
  }
}

TEST_CASE("grad-cam: a layer that is not there is refused with the ones that are") {
  const Network network = make_network("cnn_1block", {.size = 8}, 5);
  CHECK_THROWS_WITH_AS(GradCam(network, {8, 8, 1}, "conv9", 1), doctest::Contains("blocks.0.1.conv"), Error);
  CHECK_THROWS_WITH_AS(GradCam(network, {8, 8, 1}, "output", 1), doctest::Contains("'output'"), Error);
}

TEST_CASE("grad-cam: likeness of maps") {
  const std::vector<float> rising = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<float> falling(rising.rbegin(), rising.rend()), flat(10, 0.5f);
  const auto compare = [](const auto& a, const auto& b) { return compare_maps(a.data(), b.data(), 10); };
  CHECK(compare(rising, rising).correlation == doctest::Approx(1));
  CHECK(compare(rising, rising).overlap == 1);
  CHECK(compare(rising, falling).correlation == doctest::Approx(-1));
  CHECK(compare(rising, falling).overlap == 0);
  CHECK(compare(flat, flat).correlation == 1);
  CHECK(compare(flat, rising).correlation == 0);
  std::vector<float> shifted = rising;
  std::swap(shifted[8], shifted[0]);
  CHECK(compare(rising, shifted).overlap == doctest::Approx(1.0 / 3));  // two hottest each, one of them shared
}

TEST_CASE("grad-cam: overlays are blue where it is cold and red where it is hot") {
  Tensor face(DType::u8, {2, 2, 1});
  const float map[] = {0, 1, 0.5f, 0};
  const Tensor picture = overlay(face, map, 3);
  CHECK(picture.shape() == Shape{6, 6, 3});
  const uint8_t* cold = picture.data<uint8_t>();
  const uint8_t* hot = picture.data<uint8_t>() + 3 * 3;
  CHECK(cold[2] > cold[0]);
  CHECK(hot[0] > hot[2]);
}

}  // namespace fer::test
