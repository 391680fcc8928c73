#include "kernels/augment.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/few_channels.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

// One image, resampled. Coordinates are clamped first, so that the four neighbours always exist; a constant number of
// channels lets the compiler gather several pixels at once.
template <class T, class Channels>
void resample(const AugmentDraw& draw, const T* x, T* y, int height, int width, Channels channel_count) {
  const auto channels = static_cast<int>(channel_count());
  const T half_w = static_cast<T>(width - 1) / 2, half_h = static_cast<T>(height - 1) / 2;
  const T last_x = static_cast<T>(width - 1), last_y = static_cast<T>(height - 1);
  const T xx = static_cast<T>(draw.xx), yx = static_cast<T>(draw.yx);
  const int to_right = width > 1 ? channels : 0, below = height > 1 ? width * channels : 0;
  const int max_left = std::max(width - 2, 0), max_top = std::max(height - 2, 0);
  for (int i = 0; i < height; ++i) {
    const T v = static_cast<T>(i) - half_h;
    const T x0 = static_cast<T>(draw.xy) * v + static_cast<T>(draw.x0) + half_w;
    const T y0 = static_cast<T>(draw.yy) * v + static_cast<T>(draw.y0) + half_h;
    T* row = y + static_cast<int64_t>(i) * width * channels;
#pragma omp simd
    for (int j = 0; j < width; ++j) {
      const T u = static_cast<T>(j) - half_w;
      const T at_x = std::min(std::max(xx * u + x0, T(0)), last_x);
      const T at_y = std::min(std::max(yx * u + y0, T(0)), last_y);
      const int left = std::min(static_cast<int>(at_x), max_left);
      const int top = std::min(static_cast<int>(at_y), max_top);
      const T right_share = at_x - static_cast<T>(left), left_share = 1 - right_share;
      const T lower_share = at_y - static_cast<T>(top), upper_share = 1 - lower_share;
      const int corner = (top * width + left) * channels;
      for (int c = 0; c < channels; ++c) {
        const T nw = x[corner + c], ne = x[corner + c + to_right];
        const T sw = x[corner + c + below], se = x[corner + c + below + to_right];
        // Shares that sum to one leave a pixel exactly as it was where the map lands on it.
        const T upper = left_share * nw + right_share * ne, lower = left_share * sw + right_share * se;
        row[j * channels + c] = upper_share * upper + lower_share * lower;
      }
    }
  }
}

// y = clamp(mean + contrast (y - mean) + brightness).
template <class T>
void adjust(const AugmentDraw& draw, T* y, int64_t size) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) {
    sum += static_cast<double>(y[i]);
  }
  const double mean = sum / static_cast<double>(size);
  const T factor = static_cast<T>(draw.contrast);
  const T offset = static_cast<T>(mean * (1 - draw.contrast) + draw.brightness);
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    y[i] = std::min(std::max(factor * y[i] + offset, T(0)), T(1));
  }
}

template <class T>
void erase(const AugmentDraw& draw, const Philox& random, int64_t n, T* y, int64_t height, int64_t width,
           int64_t channels) {
  for (int64_t row = draw.top; row < draw.bottom; ++row) {
    for (int64_t column = draw.left; column < draw.right; ++column) {
      const int64_t pixel = row * width + column;
      std::fill_n(y + pixel * channels, channels, static_cast<T>(augmentation_noise(random, n, height * width, pixel)));
    }
  }
}

}  // namespace

template <class T>
void augment_forward(const AugmentParams& params, const Philox& random, View<const T> x, View<T> y) {
  const int64_t height = x[1], width = x[2], channels = x[3], image = height * width * channels;
  const bool geometry = changes_geometry(params), brightness = changes_brightness(params);
  parallel_for(x[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const AugmentDraw draw = draw_augmentation(params, random, n, height, width);
      const T* source = x.data + n * image;
      T* target = y.data + n * image;
      if (geometry) {
        with_channels(channels, [&](auto count) {
          resample(draw, source, target, static_cast<int>(height), static_cast<int>(width), count);
        });
      } else {
        std::copy_n(source, image, target);
      }
      if (brightness) {
        adjust(draw, target, image);
      }
      erase(draw, random, n, target, height, width, channels);
    }
  });
}

template void augment_forward(const AugmentParams&, const Philox&, View<const float>, View<float>);
template void augment_forward(const AugmentParams&, const Philox&, View<const double>, View<double>);

}  // namespace fer
