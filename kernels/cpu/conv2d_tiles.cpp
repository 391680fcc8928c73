#include "kernels/cpu/conv2d_tiles.h"

#include <immintrin.h>

#include <algorithm>

#include "kernels/cpu/conv2d_products.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/own_workspace.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t tile_pixels = 6;
constexpr int64_t lanes = 16;                // output channels of a tile
constexpr int64_t chunk = 64;                // products of a tile, one after the other
constexpr int64_t step = 16;                 // of them summed in floats before they join the pixels' sums
constexpr int64_t few = 8;                   // the same where there are fewer channels
constexpr int64_t block = 20 * tile_pixels;  // pixels whose window addresses are looked up at a time

struct Windows {
  Conv2dParams params;
  Conv2dEpilogue epilogue;
  Shape x, w, y;

  int64_t taps() const { return w[1] * w[2]; }
  int64_t pixels() const { return y[0] * y[1] * y[2]; }
  int64_t panels() const { return (w[0] + lanes - 1) / lanes; }
  int64_t panel_size() const { return taps() * w[3] * lanes; }
  int64_t panel_bytes() const { return aligned_bytes<float>(panels() * panel_size()); }  // of all

  // Where an output pixel stands in the images, of those in the order they are worked on: on maps so small that most
  // windows reach past an edge, place by place, so that a tile's windows reach past the same one.
  int64_t place(int64_t pixel) const {
    const int64_t places = y[1] * y[2];
    return places > 16 ? pixel : pixel % y[0] * places + pixel / y[0];
  }
};

// Where the workspace's parts begin: each thread's sums [block][lanes] and addresses [taps][block], weights in panels
// unless those were kept, a row of zeros for pixels outside the image.
struct Layout {
  Layout(const Windows& windows, bool weights_stay)
      : own_bytes(std::max(least_own_bytes, addresses + aligned_bytes<const float*>(windows.taps() * block))),
        panels(thread_count() * own_bytes),
        zeros(panels + (weights_stay ? 0 : windows.panel_bytes())),
        total(zeros + aligned_bytes<float>(windows.w[3])) {}

  static constexpr int64_t addresses = block * lanes * static_cast<int64_t>(sizeof(double));  // of a thread's part
  int64_t own_bytes, panels, zeros, total;
};

// Weights [O,kh,kw,I] -> panels [O / 16][kh,kw,I][16], channels that are not there zero.
void pack_panels(const Windows& windows, const float* w, float* panels) {
  const int64_t depth = windows.taps() * windows.w[3];
  constexpr int64_t stretch = 64;
  parallel_for(windows.panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t outputs = std::min(lanes, windows.w[0] - panel * lanes);
      for (int64_t first = 0; first < depth; first += stretch) {
        const int64_t count = std::min(stretch, depth - first);
        alignas(64) float made[stretch * lanes];
        for (int64_t lane = 0; lane < lanes; ++lane) {
          const float* const from = w + (panel * lanes + lane) * depth + first;
          for (int64_t k = 0; k < count; ++k) {
            made[k * lanes + lane] = lane < outputs ? from[k] : 0.0F;
          }
        }
        stream(made, count * lanes, panels + panel * windows.panel_size() + first * lanes);  // every thread reads them
      }
    }
    finish_streaming();
  });
}

// The pixel that each tap of each of `count` output pixels from `first` on reads; `zeros` outside the image.
void look_up(const Windows& windows, const float* x, const float* zeros, int64_t first, int64_t count,
             const float** addresses) {
  const int64_t height = windows.x[1], width = windows.x[2], channels = windows.x[3];
  const int64_t stride = windows.params.stride;
  for (int64_t i = 0; i < round_up(count, tile_pixels); ++i) {
    const int64_t pixel = windows.place(first + std::min(i, count - 1));
    const int64_t row = pixel / windows.y[2] % windows.y[1] * stride - windows.params.padding.top;
    const int64_t column = pixel % windows.y[2] * stride - windows.params.padding.left;
    const float* const image = x + pixel / (windows.y[1] * windows.y[2]) * height * width * channels;
    for (int64_t ky = 0; ky < windows.w[1]; ++ky) {
      for (int64_t kx = 0; kx < windows.w[2]; ++kx) {
        const int64_t r = row + ky, c = column + kx;
        const bool inside = r >= 0 && r < height && c >= 0 && c < width;
        addresses[(ky * windows.w[2] + kx) * block + i] = inside ? image + (r * width + c) * channels : zeros;
      }
    }
  }
}

// Adds eight floats to eight doubles.
inline void add_to(double* sums, __m256 values) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
  const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
  _mm256_store_pd(sums, _mm256_add_pd(_mm256_load_pd(sums), low));
  _mm256_store_pd(sums + 4, _mm256_add_pd(_mm256_load_pd(sums + 4), high));
}

// Products of `taps` window pixels' channels begin … begin + length - 1 with the panel's weights `w`, added to `sums`
// [tile_pixels][lanes]. `step` products at a time, or fewer, are summed in floats.
inline void multiply_tile(const float* const* addresses, const float* zeros, int64_t taps, int64_t begin,
                          int64_t length, const float* w, double* sums) {
  __m256 low[tile_pixels], high[tile_pixels];
  const auto clear = [&] {
    for (int64_t m = 0; m < tile_pixels; ++m) {
      low[m] = high[m] = _mm256_setzero_ps();
    }
  };
  const auto join = [&] {
#pragma GCC unroll 6
    for (int64_t m = 0; m < tile_pixels; ++m) {
      add_to(sums + m * lanes, low[m]);
      add_to(sums + m * lanes + 8, high[m]);
    }
  };
  const auto add_products = [&](const float* const* x, int64_t count) __attribute__((always_inline)) {
    for (int64_t c = 0; c < count; ++c, w += lanes) {
      const __m256 w_low = _mm256_loadu_ps(w), w_high = _mm256_loadu_ps(w + 8);
#pragma GCC unroll 6
      for (int64_t m = 0; m < tile_pixels; ++m) {
        const __m256 pixel = _mm256_broadcast_ss(x[m] + c);
        low[m] = _mm256_fmadd_ps(pixel, w_low, low[m]);
        high[m] = _mm256_fmadd_ps(pixel, w_high, high[m]);
      }
    }
  };
  if (length < step) {
    clear();
    for (int64_t tap = 0; tap < taps; ++tap, addresses += block) {
      const float* const x[tile_pixels] = {addresses[0] + begin, addresses[1] + begin, addresses[2] + begin,
                                           addresses[3] + begin, addresses[4] + begin, addresses[5] + begin};
      add_products(x, length);
    }
    join();
    return;
  }
  for (int64_t tap = 0; tap < taps; ++tap, addresses += block) {
    if (std::all_of(addresses, addresses + tile_pixels, [&](const float* pixel) { return pixel == zeros; })) {
      w += length * lanes;
      continue;
    }
    for (int64_t c = begin; c < begin + length; c += step) {
      const float* const x[tile_pixels] = {addresses[0] + c, addresses[1] + c, addresses[2] + c,
                                           addresses[3] + c, addresses[4] + c, addresses[5] + c};
      clear();
      add_products(x, std::min(step, begin + length - c));
      join();
    }
  }
}

// One panel of `count` output pixels from `first` on. `sums` is [block][lanes].
void multiply_block(const Windows& windows, const float* const* addresses, const float* zeros, int64_t first,
                    int64_t count, int64_t panel, const float* panels, const float* bias, double* sums, float* y) {
  const int64_t outputs = windows.w[0], channels = windows.w[3];
  const int64_t taps_at_once = std::max<int64_t>(1, (channels < step ? few : chunk) / channels);
  const float* w = panels + panel * windows.panel_size();
  std::fill_n(sums, round_up(count, tile_pixels) * lanes, 0.0);
  for (int64_t tap = 0; tap < windows.taps(); tap += taps_at_once) {
    const int64_t taps = std::min(taps_at_once, windows.taps() - tap);
    for (int64_t begin = 0; begin < channels; begin += chunk) {
      const int64_t length = std::min(taps_at_once == 1 ? chunk : channels, channels - begin);
      for (int64_t i = 0; i < count; i += tile_pixels) {
        multiply_tile(addresses + tap * block + i, zeros, taps, begin, length, w, sums + i * lanes);
      }
      w += taps * length * lanes;
    }
  }
  const int64_t width = std::min(lanes, outputs - panel * lanes);
  alignas(32) double start[lanes] = {};
  if (bias != nullptr) {
    std::copy_n(bias + panel * lanes, width, start);
  }
  const ClampRange range = *clamp_range(windows.epilogue.activation);
  const bool add = windows.epilogue.add;
  for (int64_t i = 0; i < count; ++i) {
    float* const out = y + windows.place(first + i) * outputs + panel * lanes;
    const double* const sum = sums + i * lanes;
#pragma omp simd
    for (int64_t lane = 0; lane < width; ++lane) {
      const float value = static_cast<float>(start[lane] + sum[lane] + (add ? static_cast<double>(out[lane]) : 0.0));
      out[lane] = value < range.low ? range.low : (value > range.high ? range.high : value);
    }
  }
}

// Panels `first_panel` … `last_panel` - 1 of pixels begin … end - 1.
void multiply(const Windows& windows, const float* x, const float* zeros, const float* panels, const float* bias,
              float* y, int64_t begin, int64_t end, int64_t first_panel, int64_t last_panel, const float** addresses,
              double* sums) {
  for (int64_t pixel = begin; pixel < end; pixel += block) {
    const int64_t count = std::min(block, end - pixel);
    look_up(windows, x, zeros, pixel, count, addresses);
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      multiply_block(windows, addresses, zeros, pixel, count, panel, panels, bias, sums, y);
    }
  }
}

}  // namespace

bool is_tiled(const Shape& w) { return w[1] * w[2] > 1 && !has_few_channels(w); }

PreparedConv2dForward prepare_tiled_forward(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y,
                                            const Conv2dEpilogue& epilogue, bool weights_stay) {
  const Windows windows{params, epilogue, x, w, y};
  const Layout layout(windows, weights_stay);
  return {[=](View<const float> x, View<const float> w, View<const float> b, View<float> y, std::byte* workspace) {
            const float* panels = w.data;
            float* const zeros = reinterpret_cast<float*>(workspace + layout.zeros);
            std::fill_n(zeros, windows.w[3], 0.0F);
            if (!weights_stay) {
              float* const packed = reinterpret_cast<float*>(workspace + layout.panels);
              pack_panels(windows, w.data, packed);
              panels = packed;
            }
            const auto addresses = [&](int part) {
              return reinterpret_cast<const float**>(workspace + part * layout.own_bytes + Layout::addresses);
            };
            const auto sums = [&](int part) { return reinterpret_cast<double*>(workspace + part * layout.own_bytes); };
            // Threads share out the pixels; where there are too few of them, the panels.
            const int64_t pixels = windows.pixels();
            if (pixels >= block * thread_count()) {
              parallel_parts(pixels, block, [&](int64_t begin, int64_t end, int part) {
                multiply(windows, x.data, zeros, panels, b.data, y.data, begin, end, 0, windows.panels(),
                         addresses(part), sums(part));
              });
            } else {
              parallel_parts(windows.panels(), 1, [&](int64_t begin, int64_t end, int part) {
                multiply(windows, x.data, zeros, panels, b.data, y.data, 0, pixels, begin, end, addresses(part),
                         sums(part));
              });
            }
          },
          layout.total, 0, weights_stay ? windows.panel_bytes() : 0,
          [windows](const float* w, std::byte* kept) { pack_panels(windows, w, reinterpret_cast<float*>(kept)); }};
}

}  // namespace fer
