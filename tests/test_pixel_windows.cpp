#include <doctest/doctest.h>

#include <cmath>

#include "attacks/pixel_windows.h"
#include "autograd/executor.h"
#include "autograd/ops.h"
#include "models/model.h"

namespace fer::test {

namespace {

// Candidates at the corners, the edges and inside of two images.
constexpr int64_t image_count = 2, each = 10;

void feed_pixels(const Shape& image, RandomSequence& random, Tensor& pixels) {
  const auto height = static_cast<int32_t>(image[1]), width = static_cast<int32_t>(image[2]);
  const int32_t fixed[][2] = {{0, 0},         {0, width - 1},          {height - 1, 0}, {height - 1, width - 1},
                              {0, width / 2}, {height / 2, width - 1}, {1, 1},          {height - 2, width - 2}};
  for (int64_t i = 0; i < pixels.shape()[0]; ++i) {
    int32_t* const at = pixels.data<int32_t>() + 2 * i;
    if (i % each < 8) {
      std::copy_n(fixed[i % each], 2, at);
    } else {
      at[0] = static_cast<int32_t>(random.below(static_cast<uint32_t>(height)));
      at[1] = static_cast<int32_t>(random.below(static_cast<uint32_t>(width)));
    }
  }
}

}  // namespace

TEST_CASE("pixel windows: the first layers in windows give what the whole network gives, for less") {
  struct Setting {
    const char* model;
    int64_t size, channels;
    double share;  // of the whole network's arithmetic, at most
  };
  for (const Setting& s :
       {Setting{"cnn_2block", 48, 1, 0.5}, Setting{"mobilenet_v2", 75, 3, 0.8}, Setting{"se_separable", 32, 1, 1},
        Setting{"densenet121", 75, 3, 1}, Setting{"resnet50", 48, 3, 1}, Setting{"vanilla_cnn", 48, 1, 1}}) {
    INFO(std::string(s.model));
    Graph graph;
    const Shape shape{image_count, s.size, s.size, s.channels};
    const Value images = graph.input("images", DType::f32, shape);
    const Value places = graph.input("pixels", DType::i32, {image_count * each, 1, 2});
    const Value values = graph.input("values", DType::f32, {image_count * each, 1, s.channels});
    const Value candidates = pixel_candidates(images, places, values);
    const auto model = make_model(s.model, graph, {.size = s.size, .channels = s.channels});
    const Value whole = model->forward(candidates, Mode::evaluation);
    const LocalGraph local = recompute_locally(images, values, candidates, whole);
    REQUIRE(!local.places.empty());

    Tensor faces(DType::f32, shape), pixels(DType::i32, places.shape()), colours(DType::f32, values.shape());
    RandomSequence random(Philox(3, 0));
    for (float& value : faces.as<float>()) {
      value = random.uniform();
    }
    for (float& value : colours.as<float>()) {
      value = random.uniform();
    }
    feed_pixels(shape, random, pixels);
    const auto variables = std::make_shared<Variables>(5);
    Executor full(make_plan(graph, std::vector{whole}), Device::cpu, variables);
    Executor windowed(make_plan(graph, std::vector{local.output}), Device::cpu, variables);
    full.feed(images, faces.view()).feed(places, pixels.view()).feed(values, colours.view()).run({});
    windowed.feed(images, faces.view()).feed(values, colours.view());
    for (const WindowPlaces& windows : local.places) {
      Tensor at(DType::i32, windows.input.shape());
      for (int64_t i = 0; i < pixels.size(); i += 2) {
        at.data<int32_t>()[i] = windows.rows[static_cast<size_t>(pixels.data<int32_t>()[i])];
        at.data<int32_t>()[i + 1] = windows.columns[static_cast<size_t>(pixels.data<int32_t>()[i + 1])];
      }
      windowed.feed(windows.input, at.view());
    }
    windowed.run({});
    const auto expected = full.read(whole).as<const float>(), got = windowed.read(local.output).as<const float>();
    double largest = 0, error = 0;
    for (int64_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::abs(double{expected.data[i]}));
      error = std::max(error, std::abs(double{expected.data[i]} - double{got.data[i]}));
    }
    CHECK(error < 1e-5 * largest);
    // A pixel has to change something for this to mean anything.
    CHECK(!std::equal(expected.data, expected.data + expected[1], expected.data + expected[1]));
    const auto flops = [](const Executor& executor) { return static_cast<double>(executor.plan().total_cost().flops); };
    CHECK(flops(windowed) < s.share * flops(full));
  }
}

}  // namespace fer::test
