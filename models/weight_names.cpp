#include "models/weight_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fer {

namespace {

// Joins numbers and texts to a name.
template <class... Parts>
std::string name(const Parts&... parts) {
  std::string result;
  const auto text = [](const auto& part) -> std::string {
    if constexpr (std::is_integral_v<std::decay_t<decltype(part)>>) {
      return std::to_string(part);
    } else {
      return part;
    }
  };
  ((result += text(parts)), ...);
  return result;
}

class Layers {
 public:
  void conv(std::string ours, std::string timm, std::vector<std::string> keras) {
    add(std::move(ours), std::move(timm), std::move(keras), false);
  }
  void norm(std::string ours, std::string timm, std::vector<std::string> keras) {
    add(std::move(ours), std::move(timm), std::move(keras), true);
  }
  // Keras' name has changed over the years.
  void classifier(std::string ours, std::string timm) {
    conv(std::move(ours), std::move(timm), {"predictions", "fc1000", "Logits", "probs"});
  }
  std::vector<LayerNames> take() { return std::move(layers_); }

 private:
  void add(std::string ours, std::string timm, std::vector<std::string> keras, bool norm) {
    std::vector<std::string> torch;
    if (timm != ours) {
      torch.push_back(std::move(timm));
    }
    layers_.push_back({std::move(ours), std::move(torch), std::move(keras), norm});
  }

  std::vector<LayerNames> layers_;
};

std::vector<LayerNames> mobilenet_v2() {
  Layers layers;
  layers.conv("features.0.0", "conv_stem", {"Conv1"});
  layers.norm("features.0.1", "bn1", {"bn_Conv1"});
  constexpr int repeats[] = {1, 2, 3, 4, 3, 3, 1};
  int index = 1;
  for (size_t stage = 0; stage < std::size(repeats); ++stage) {
    for (int i = 0; i < repeats[stage]; ++i, ++index) {
      const std::string ours = name("features.", index, ".conv."), timm = name("blocks.", stage, ".", i, ".");
      const std::string keras = index == 1 ? "expanded_conv_" : name("block_", index - 1, "_");
      const bool expands = index > 1;
      if (expands) {
        layers.conv(ours + "0.0", timm + "conv_pw", {keras + "expand"});
        layers.norm(ours + "0.1", timm + "bn1", {keras + "expand_BN"});
      }
      layers.conv(name(ours, expands ? 1 : 0, ".0"), timm + "conv_dw", {keras + "depthwise"});
      layers.norm(name(ours, expands ? 1 : 0, ".1"), timm + (expands ? "bn2" : "bn1"), {keras + "depthwise_BN"});
      layers.conv(name(ours, expands ? 2 : 1), timm + (expands ? "conv_pwl" : "conv_pw"), {keras + "project"});
      layers.norm(name(ours, expands ? 3 : 2), timm + (expands ? "bn3" : "bn2"), {keras + "project_BN"});
    }
  }
  layers.conv("features.18.0", "conv_head", {"Conv_1"});
  layers.norm("features.18.1", "bn2", {"Conv_1_bn"});
  layers.classifier("classifier.1", "classifier");
  return layers.take();
}

std::vector<LayerNames> resnet50() {
  Layers layers;
  const auto pair = [&](const std::string& conv, const std::string& norm, const std::string& keras) {
    layers.conv(conv, conv, {keras + "_conv"});
    layers.norm(norm, norm, {keras + "_bn"});
  };
  pair("conv1", "bn1", "conv1");
  constexpr int depths[] = {3, 4, 6, 3};
  for (size_t stage = 0; stage < std::size(depths); ++stage) {
    for (int i = 0; i < depths[stage]; ++i) {
      const std::string ours = name("layer", stage + 1, ".", i, ".");
      const std::string keras = name("conv", stage + 2, "_block", i + 1, "_");
      for (int number = 1; number <= 3; ++number) {
        pair(name(ours, "conv", number), name(ours, "bn", number), name(keras, number));
      }
      if (i == 0) {
        pair(ours + "downsample.0", ours + "downsample.1", keras + "0");
      }
    }
  }
  layers.classifier("fc", "fc");
  return layers.take();
}

std::vector<LayerNames> densenet121() {
  Layers layers;
  layers.conv("features.conv0", "features.conv0", {"conv1/conv", "conv1_conv"});
  layers.norm("features.norm0", "features.norm0", {"conv1/bn", "conv1_bn"});
  constexpr int depths[] = {6, 12, 24, 16};
  for (size_t block = 0; block < std::size(depths); ++block) {
    for (int i = 1; i <= depths[block]; ++i) {
      const std::string ours = name("features.denseblock", block + 1, ".denselayer", i, ".");
      const std::string keras = name("conv", block + 2, "_block", i, "_");
      for (int number : {1, 2}) {  // files from before 2018 say norm.1
        layers.norm(name(ours, "norm", number), name(ours, "norm.", number), {name(keras, number - 1, "_bn")});
        layers.conv(name(ours, "conv", number), name(ours, "conv.", number), {name(keras, number, "_conv")});
      }
    }
    if (block + 1 < std::size(depths)) {
      const std::string ours = name("features.transition", block + 1, "."), keras = name("pool", block + 2, "_");
      layers.norm(ours + "norm", ours + "norm", {keras + "bn"});
      layers.conv(ours + "conv", ours + "conv", {keras + "conv"});
    }
  }
  layers.norm("features.norm5", "features.norm5", {"bn"});
  layers.classifier("classifier", "classifier");
  return layers.take();
}

std::vector<LayerNames> vgg19() {
  Layers layers;
  constexpr int depths[] = {2, 2, 4, 4, 4};
  int index = 0;  // ReLUs and pools count
  for (size_t stage = 0; stage < std::size(depths); ++stage, ++index) {
    for (int i = 1; i <= depths[stage]; ++i, index += 2) {
      layers.conv(name("features.", index), name("features.", index), {name("block", stage + 1, "_conv", i)});
    }
  }
  layers.conv("classifier.0", "pre_logits.fc1", {"fc1"});
  layers.conv("classifier.3", "pre_logits.fc2", {"fc2"});
  layers.classifier("classifier.6", "head.fc");
  return layers.take();
}

std::vector<LayerNames> efficientnet_b0() {
  Layers layers;
  layers.conv("features.0.0", "conv_stem", {"stem_conv"});
  layers.norm("features.0.1", "bn1", {"stem_bn"});
  constexpr int repeats[] = {1, 2, 2, 3, 3, 4, 1};
  for (size_t stage = 1; stage <= std::size(repeats); ++stage) {
    for (int i = 0; i < repeats[stage - 1]; ++i) {
      const std::string ours = name("features.", stage, ".", i, ".block.");
      const std::string timm = name("blocks.", stage - 1, ".", i, ".");
      const std::string keras = name("block", stage, std::string(1, static_cast<char>('a' + i)), "_");
      const bool expands = stage > 1;
      const int at = expands ? 1 : 0;
      if (expands) {
        layers.conv(ours + "0.0", timm + "conv_pw", {keras + "expand_conv"});
        layers.norm(ours + "0.1", timm + "bn1", {keras + "expand_bn"});
      }
      layers.conv(name(ours, at, ".0"), timm + "conv_dw", {keras + "dwconv"});
      layers.norm(name(ours, at, ".1"), timm + (expands ? "bn2" : "bn1"), {keras + "bn"});
      layers.conv(name(ours, at + 1, ".fc1"), timm + "se.conv_reduce", {keras + "se_reduce"});
      layers.conv(name(ours, at + 1, ".fc2"), timm + "se.conv_expand", {keras + "se_expand"});
      layers.conv(name(ours, at + 2, ".0"), timm + (expands ? "conv_pwl" : "conv_pw"), {keras + "project_conv"});
      layers.norm(name(ours, at + 2, ".1"), timm + (expands ? "bn3" : "bn2"), {keras + "project_bn"});
    }
  }
  layers.conv("features.8.0", "conv_head", {"top_conv"});
  layers.norm("features.8.1", "bn2", {"top_bn"});
  layers.classifier("classifier.1", "classifier");
  return layers.take();
}

// Calls found(layer, leaf) for the layer that the variable belongs to.
template <class Found>
void with_layer(const std::vector<LayerNames>& layers, const std::string& variable, Found&& found) {
  const size_t dot = variable.rfind('.');
  const std::string_view owner = std::string_view(variable).substr(0, dot);
  const auto layer = std::find_if(layers.begin(), layers.end(), [&](const auto& one) { return one.ours == owner; });
  if (dot != std::string::npos && layer != layers.end()) {
    found(*layer, variable.substr(dot + 1));
  }
}

std::string keras_leaf(const std::string& leaf, bool norm) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> of_norm = {
      {{"weight", "gamma"}, {"bias", "beta"}, {"running_mean", "moving_mean"}, {"running_var", "moving_variance"}}};
  if (!norm) {
    return leaf == "weight" ? "kernel" : leaf;
  }
  return std::string(
      std::find_if(of_norm.begin(), of_norm.end(), [&](auto pair) { return pair.first == leaf; })->second);
}

}  // namespace

std::vector<LayerNames> layer_names(std::string_view model) {
  constexpr std::pair<std::string_view, std::vector<LayerNames> (*)()> known[] = {{"mobilenet_v2", mobilenet_v2},
                                                                                  {"resnet50", resnet50},
                                                                                  {"densenet121", densenet121},
                                                                                  {"vgg19", vgg19},
                                                                                  {"efficientnet_b0", efficientnet_b0}};
  for (const auto& [published, layers] : known) {
    if (published == model) {
      return layers();
    }
  }
  return {};
}

std::vector<std::string> names_in_safetensors(const std::vector<LayerNames>& layers, const std::string& variable) {
  std::vector<std::string> names{variable};
  with_layer(layers, variable, [&](const LayerNames& layer, const std::string& leaf) {
    for (const std::string& other : layer.torch) {
      names.push_back(other + "." + leaf);
    }
  });
  return names;
}

std::vector<std::string> names_in_keras(const std::vector<LayerNames>& layers, const std::string& variable) {
  std::vector<std::string> names;
  with_layer(layers, variable, [&](const LayerNames& layer, const std::string& leaf) {
    for (const std::string& other : layer.keras) {
      names.push_back(other + "/" + keras_leaf(leaf, layer.norm));
    }
  });
  return names;
}

}  // namespace fer
