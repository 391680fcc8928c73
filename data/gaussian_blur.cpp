#include "data/gaussian_blur.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "tensor/parallel.h"

namespace fer {

namespace {

std::vector<double> gaussian(int kernel, double sigma) {
  if (sigma <= 0) {
    switch (kernel) {
      case 3:
        return {1 / 4.0, 1 / 2.0, 1 / 4.0};
      case 5:
        return {1 / 16.0, 1 / 4.0, 3 / 8.0, 1 / 4.0, 1 / 16.0};
      case 7:
        return {1 / 32.0, 7 / 64.0, 7 / 32.0, 9 / 32.0, 7 / 32.0, 7 / 64.0, 1 / 32.0};
      default:
        sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8;
    }
  }
  std::vector<double> weights(static_cast<size_t>(kernel));
  double total = 0;
  for (int i = 0; i < kernel; ++i) {
    const double distance = i - (kernel - 1) / 2;
    weights[static_cast<size_t>(i)] = std::exp(-distance * distance / (2 * sigma * sigma));
    total += weights[static_cast<size_t>(i)];
  }
  for (double& weight : weights) {
    weight /= total;
  }
  return weights;
}

// -2 -1 0 … n-1 n n+1 -> 2 1 0 … n-1 n-2 n-3
int64_t mirrored(int64_t at, int64_t extent) {
  while (at < 0 || at >= extent) {
    at = at < 0 ? -at : 2 * (extent - 1) - at;
    if (extent == 1) {
      return 0;
    }
  }
  return at;
}

int64_t inside(BlurBorder border, int64_t at, int64_t extent) {
  return border == BlurBorder::mirrored ? mirrored(at, extent) : std::clamp<int64_t>(at, 0, extent - 1);
}

template <class T>
T rounded(double sum) {
  return static_cast<T>(std::is_integral_v<T> ? std::round(sum) : sum);
}

// Convolves one image [height,width,channels] with `weights` along both axes.
template <class T>
void blur_image(const T* x, T* y, const Shape& shape, const std::vector<double>& weights, BlurBorder border) {
  const int64_t height = shape[1], width = shape[2], channels = shape[3];
  const auto half = static_cast<int64_t>(weights.size() / 2);
  std::vector<double> rows(static_cast<size_t>(height * width * channels));
  const auto blur = [&](auto read, auto write, bool along_rows) {
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        for (int64_t k = 0; k < channels; ++k) {
          double sum = 0;
          for (int64_t tap = -half; tap <= half; ++tap) {
            const int64_t row = along_rows ? r : inside(border, r + tap, height);
            const int64_t column = along_rows ? inside(border, c + tap, width) : c;
            sum += weights[static_cast<size_t>(tap + half)] * read((row * width + column) * channels + k);
          }
          write((r * width + c) * channels + k, sum);
        }
      }
    }
  };
  blur([&](int64_t i) { return static_cast<double>(x[i]); },
       [&](int64_t i, double sum) { rows[static_cast<size_t>(i)] = sum; }, true);
  blur([&](int64_t i) { return rows[static_cast<size_t>(i)]; }, [&](int64_t i, double sum) { y[i] = rounded<T>(sum); },
       false);
}

template <class T>
Tensor blurred(const Tensor& images, const std::vector<double>& weights, BlurBorder border) {
  const Shape& shape = images.shape();
  const int64_t size = shape[1] * shape[2] * shape[3];
  Tensor result(images.dtype(), shape);
  parallel_for(shape[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      blur_image(images.data<T>() + n * size, result.data<T>() + n * size, shape, weights, border);
    }
  });
  return result;
}

}  // namespace

Tensor gaussian_blur(const Tensor& images, int kernel, double sigma, BlurBorder border) {
  if (kernel < 1 || kernel % 2 == 0) {
    fail("gaussian_blur: kernel ", kernel, " is not a positive odd number");
  }
  if (images.shape().rank() != 4 || (images.dtype() != DType::u8 && images.dtype() != DType::f32)) {
    fail("gaussian_blur: expects u8 or f32 [N,H,W,C], was given ", images.dtype(), images.shape());
  }
  const std::vector<double> weights = gaussian(kernel, sigma);
  return images.dtype() == DType::u8 ? blurred<uint8_t>(images, weights, border)
                                     : blurred<float>(images, weights, border);
}

}  // namespace fer
