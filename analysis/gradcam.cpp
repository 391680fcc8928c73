#include "analysis/gradcam.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/activation.h"

namespace fer {

namespace {

constexpr int64_t least_side = 5;

bool is_convolution(const Node& node) {
  const std::string name = node.operation->name();
  return name == "conv2d" || name == "depthwise_conv2d";
}

Shape map_of(const Graph& graph, int value) {
  const Shape& shape = graph.values()[static_cast<size_t>(value)].type.shape;
  return {shape[1], shape[2], shape[3]};
}

// The output of the layer called `name`, behind an activation that alone reads it; -1 when there is none.
int find_layer(const Graph& graph, const std::string& name) {
  int found = -1;
  for (const Node& node : graph.nodes()) {
    if (node.scope == name && graph.values()[static_cast<size_t>(node.outputs[0])].type.shape.rank() == 4) {
      found = node.outputs[0];
    }
  }
  std::vector<const Node*> readers;
  for (const Node& node : graph.nodes()) {
    if (std::find(node.inputs.begin(), node.inputs.end(), found) != node.inputs.end()) {
      readers.push_back(&node);
    }
  }
  const bool activated =
      readers.size() == 1 && dynamic_cast<const ActivationForward*>(readers[0]->operation.get()) != nullptr;
  return activated ? readers[0]->outputs[0] : found;
}

std::vector<ConvolutionLayer> layers_of(const Graph& graph) {
  std::vector<ConvolutionLayer> layers;
  for (const Node& node : graph.nodes()) {
    if (is_convolution(node)) {
      layers.push_back({node.scope, map_of(graph, node.outputs[0])});
    }
  }
  return layers;
}

}  // namespace

Tensor grad_cam(const Tensor& activation, const Tensor& gradient) {
  const Shape& shape = activation.shape();
  if (shape.rank() != 4 || gradient.shape() != shape) {
    fail("grad_cam: activation ", shape, " and gradient ", gradient.shape(), " must be alike, [N,H,W,C]");
  }
  const int64_t places = shape[1] * shape[2], channels = shape[3];
  Tensor maps(DType::f32, shape.with(3, 1));
  for (int64_t n = 0; n < shape[0]; ++n) {
    const float* a = activation.data<float>() + n * places * channels;
    const float* g = gradient.data<float>() + n * places * channels;
    std::vector<double> weight(static_cast<size_t>(channels), 0);
    for (int64_t i = 0; i < places * channels; ++i) {
      weight[static_cast<size_t>(i % channels)] += static_cast<double>(g[i]) / static_cast<double>(places);
    }
    for (int64_t p = 0; p < places; ++p) {
      double sum = 0;
      for (int64_t c = 0; c < channels; ++c) {
        sum += weight[static_cast<size_t>(c)] * static_cast<double>(a[p * channels + c]);
      }
      maps.data<float>()[n * places + p] = static_cast<float>(std::max(sum, 0.0));
    }
  }
  return maps;
}

Tensor normalised_maps(const Tensor& maps) {
  Tensor result = maps.clone();
  const int64_t places = maps.shape()[1] * maps.shape()[2];
  for (int64_t n = 0; n < maps.shape()[0]; ++n) {
    float* map = result.data<float>() + n * places;
    const float most = *std::max_element(map, map + places);
    for (int64_t p = 0; p < places && most > 0; ++p) {
      map[p] /= most;
    }
  }
  return result;
}

Tensor resized_maps(const Tensor& maps, int64_t height, int64_t width) {
  Graph graph;
  const Value small = graph.input("maps", DType::f32, maps.shape());
  const Value large = resize_bilinear(small, height, width);
  Executor executor(make_plan(graph, std::vector{large}), Device::cpu, std::make_shared<Variables>(0));
  executor.feed(small, maps.view()).run({});
  return Tensor(executor.read(large), nullptr).clone();
}

std::vector<ConvolutionLayer> convolution_layers(const Network& network, const Shape& image) {
  Graph graph;
  const Value x = graph.input("images", DType::f32, {1, image[0], image[1], image[2]});
  network.make(graph)->forward(x, Mode::evaluation);
  return layers_of(graph);
}

std::string default_layer(const std::vector<ConvolutionLayer>& layers) {
  const ConvolutionLayer* chosen = nullptr;
  for (const ConvolutionLayer& layer : layers) {
    const int64_t side = std::min(layer.map[0], layer.map[1]);
    if (chosen == nullptr || side >= least_side || side > std::min(chosen->map[0], chosen->map[1])) {
      chosen = &layer;
    }
  }
  if (chosen == nullptr) {
    fail("grad-cam: this network has no convolution");
  }
  return chosen->name;
}

GradCam::GradCam(const Network& network, Shape image, const std::string& layer, int64_t batch) : batch_(batch) {
  images_ = graph_.input("images", DType::f32, {batch, image[0], image[1], image[2]});
  const Value logits = network.make(graph_)->forward(images_, Mode::evaluation);
  const int found = find_layer(graph_, layer);
  if (found < 0) {
    fail("grad-cam: there is no layer '", layer, "' with a map; the convolutions are ",
         comma_list(layers_of(graph_), &ConvolutionLayer::name));
  }
  activation_ = Value(&graph_, found);
  chosen_ = graph_.input("chosen", DType::f32, logits.shape());
  slope_ = gradients(logits, std::vector{activation_}, chosen_)[0];
  executor_ = std::make_unique<Executor>(make_plan(graph_, std::vector{activation_, slope_}, network.planned()),
                                         network.device, network.variables, network.arena);
}

Tensor GradCam::maps(const Tensor& images, const std::vector<int32_t>& classes) {
  const int64_t count = images.shape()[0], pixels = images_.shape().size() / batch_;
  if (images.dtype() != DType::f32 || images.shape().with(0, batch_) != images_.shape() ||
      static_cast<int64_t>(classes.size()) != count) {
    fail("grad-cam: made for f32 images like ", images_.shape(), ", was given ", images.dtype(), images.shape(),
         " with ", classes.size(), " classes");
  }
  const Shape& map = activation_.shape();
  const int64_t places = map[1] * map[2];
  Tensor result(DType::f32, {count, map[1], map[2], 1});
  Tensor staged(DType::f32, images_.shape());
  for (int64_t begin = 0; begin < count; begin += batch_) {
    const int64_t taken = std::min(batch_, count - begin);
    std::copy_n(images.data<float>() + begin * pixels, taken * pixels, staged.data<float>());
    Tensor chosen(DType::f32, chosen_.shape());
    for (int64_t i = 0; i < taken; ++i) {
      chosen.data<float>()[i * chosen.shape()[1] + classes[static_cast<size_t>(begin + i)]] = 1;
    }
    executor_->feed(images_, staged.view()).feed(chosen_, chosen.view()).run({});
    const Tensor maps =
        grad_cam(Tensor(executor_->read(activation_), nullptr), Tensor(executor_->read(slope_), nullptr));
    std::copy_n(maps.data<float>(), taken * places, result.data<float>() + begin * places);
  }
  return result;
}

MapLikeness compare_maps(const float* a, const float* b, int64_t places) {
  const auto mean = [&](const float* map) {
    return std::accumulate(map, map + places, 0.0) / static_cast<double>(places);
  };
  const double mean_a = mean(a), mean_b = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < places; ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  const auto hottest = [&](const float* map) {
    std::vector<int64_t> order(static_cast<size_t>(places));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) { return map[x] > map[y]; });
    std::vector<bool> hot(static_cast<size_t>(places), false);
    for (int64_t i = 0; i < (places + 4) / 5; ++i) {
      hot[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
    }
    return hot;
  };
  const std::vector<bool> hot_a = hottest(a), hot_b = hottest(b);
  int64_t both = 0, either = 0;
  for (size_t i = 0; i < hot_a.size(); ++i) {
    both += hot_a[i] && hot_b[i];
    either += hot_a[i] || hot_b[i];
  }
  const double correlation = aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : aa == bb ? 1 : 0;
  return {correlation, static_cast<double>(both) / static_cast<double>(either)};
}

Tensor overlay(const Tensor& face, const float* map, int zoom) {
  const Shape& shape = face.shape();
  const int64_t height = shape[0], width = shape[1], channels = shape[2];
  Tensor result(DType::u8, {height * zoom, width * zoom, 3});
  for (int64_t row = 0; row < height * zoom; ++row) {
    for (int64_t column = 0; column < width * zoom; ++column) {
      const int64_t at = row / zoom * width + column / zoom;
      const double heat = std::clamp(static_cast<double>(map[at]), 0.0, 1.0);
      for (int64_t c = 0; c < 3; ++c) {
        // Blue, cyan, yellow, red: each colour's share rises and falls along the scale.
        const double colour = std::clamp(1.5 - std::abs(4 * heat - static_cast<double>(3 - c)), 0.0, 1.0);
        const double pixel = face.data<uint8_t>()[at * channels + (channels == 3 ? c : 0)];
        result.data<uint8_t>()[(row * width * zoom + column) * 3 + c] =
            static_cast<uint8_t>(std::lround(0.55 * pixel + 0.45 * 255 * colour));
      }
    }
  }
  return result;
}

}  // namespace fer
