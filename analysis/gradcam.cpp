#include "analysis/gradcam.h"

#include <algorithm>
#include <vector>

namespace fer {

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

}  // namespace fer
