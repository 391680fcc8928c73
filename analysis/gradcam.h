// Grad-CAM (Selvaraju et al., 2017): which places of a layer speak for a class.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/network.h"
#include "tensor/tensor.h"

namespace fer {

// activation and its gradient (of the sum of the chosen logits), both f32 [N,H,W,C]:
// relu(sum_c mean_hw(gradient)_c activation_c), f32 [N,H,W,1].
Tensor grad_cam(const Tensor& activation, const Tensor& gradient);

// Each map [N,H,W,1] divided by its own maximum; maps without a positive place stay zero.
Tensor normalised_maps(const Tensor& maps);

// Maps [N,H,W,1] resized bilinearly.
Tensor resized_maps(const Tensor& maps, int64_t height, int64_t width);

struct ConvolutionLayer {
  std::string name;  // "features.3.conv.0.0"
  Shape map;         // [H,W,C] that it makes
};

// The convolutions, depthwise ones too, of a network on images [H,W,C], in the order they run.
std::vector<ConvolutionLayer> convolution_layers(const Network& network, const Shape& image);

// The deepest layer whose map still has five places a side or more: deeper maps say what, but hardly where. Where all
// are smaller, the first of the largest.
std::string default_layer(const std::vector<ConvolutionLayer>& layers);

// The maps of one layer, many images at a time; the gradient comes from the recorded graph.
class GradCam {
 public:
  // `image` is [H,W,C], `layer` a name from convolution_layers, or of any layer with a map (a batch-norm). Its output
  // is taken behind the activation that follows it directly. Throws naming the convolutions when there is no such
  // layer.
  GradCam(const Network& network, Shape image, const std::string& layer, int64_t batch);

  // f32 images [n,H,W,C] in [0,1], and the class to explain in each: maps f32 [n,h,w,1].
  Tensor maps(const Tensor& images, const std::vector<int32_t>& classes);

 private:
  int64_t batch_;
  Graph graph_;
  Value images_, chosen_, activation_, slope_;
  std::unique_ptr<Executor> executor_;
};

// How alike two maps [H,W] of one size are.
struct MapLikeness {
  double correlation = 0;  // Pearson's; 1 when both are flat, 0 when one is
  double overlap = 0;      // shared part of their hottest fifths: intersection over union
};
MapLikeness compare_maps(const float* a, const float* b, int64_t places);

// A face u8 [H,W,C] under a map [H,W] in [0,1], in colours from blue to red, every pixel drawn zoom x zoom: u8 [.,.,3].
Tensor overlay(const Tensor& face, const float* map, int zoom);

}  // namespace fer
