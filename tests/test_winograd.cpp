// What tests/cases does not see of Winograd's convolutions: how exact they are, and that instruction sets agree.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cpu/winograd_tile.h"

namespace fer::test {

namespace {

std::vector<float> random_floats(int64_t count) {
  static std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    value = normal(generator);
  }
  return values;
}

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("a convolution by Winograd is its exact sum, rounded once") {
  for (const int64_t side : {8, 10, 12}) {  // tiles of 4, 5 and 6
    const Shape x{2, side, side, 64}, w{32, 3, 3, 64}, y{2, side, side, 32};
    const Conv2dParams params{1, symmetric_padding(1)};
    const std::vector<float> images = random_floats(x.size()), weights = random_floats(w.size());
    std::vector<float> result(static_cast<size_t>(y.size()));
    const PreparedConv2dForward forward = prepare_conv2d_forward(params, x, w, y, false);
    std::vector<std::byte> workspace(static_cast<size_t>(forward.workspace_bytes) + 64);
    std::byte* const aligned = workspace.data() + (-reinterpret_cast<uintptr_t>(workspace.data()) & 63);
    forward.run({images.data(), x}, {weights.data(), w}, {}, {result.data(), y}, aligned);

    const std::vector<double> exact_images = widened(images), exact_weights = widened(weights);
    std::vector<double> exact(result.size());
    conv2d_forward<double>(params, {exact_images.data(), x}, {exact_weights.data(), w}, {}, {exact.data(), y});
    double worst = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      worst = std::max(worst, std::abs(result[i] - exact[i]) - std::ldexp(std::abs(exact[i]), -24));
    }
    // Sums of 576 products of size 1, whose own size is 24.
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("Winograd's tiles have the same bits with AVX2 and AVX-512") {
  if (!__builtin_cpu_supports("avx512f")) {
    MESSAGE("skipped: this processor has no AVX-512");
    return;
  }
  constexpr int64_t channels = winograd_channels, tiles = 3 * winograd_tiles;
  for (int64_t outputs = 4; outputs <= 6; ++outputs) {
    const int64_t inputs = outputs + 2, elements = inputs * inputs;
    const std::vector<float> x = random_floats(elements * channels), w = random_floats(channels * 9);
    const auto run = [&](const WinogradTile& tile) {
      std::vector<const float*> from;
      for (int64_t i = 0; i < elements; ++i) {
        from.push_back(x.data() + i * channels);
      }
      std::vector<double> v(x.size()), d(x.size()), u(x.size()), sums(channels * channels, 0.5);
      tile.input(from.data(), channels, v.data(), channels);
      tile.cotangent(from.data(), channels, d.data(), channels);
      for (int64_t o = 0; o < channels; o += tile.panel) {
        tile.weights({w.data() + o * 9, 9, 1}, u.data() + o, channels);
      }
      // Any numbers will do as the rows of matrices. A panel's columns lie together.
      std::vector<double> m(tiles * channels);
      for (int64_t o = 0; o < channels; o += tile.panel) {
        std::vector<double> panel(channels * tile.panel);
        for (int64_t i = 0; i < channels * tile.panel; ++i) {
          panel[i] = u[i / tile.panel * channels + o + i % tile.panel];
        }
        tile.multiply(v.data(), channels / 2, tiles, panel.data(), channels, m.data() + o, channels);
      }
      for (int64_t row = 0; row < channels; row += tile.factors) {
        for (int64_t c = 0; c < channels; c += tile.panel) {
          tile.add_products(d.data() + row, channels, v.data() + c, channels, inputs, false,
                            sums.data() + row * channels + c, channels);
        }
      }
      std::vector<float> y(outputs * outputs * channels, 0.25F), dw(9 * channels);
      std::vector<float*> to;
      for (int64_t i = 0; i < outputs * outputs; ++i) {
        to.push_back(y.data() + i * channels);
      }
      tile.output(v.data(), channels, channels, {w.data(), true, 0, 6}, to.data());
      tile.weight_gradient(d.data(), channels, channels, dw.data(), channels);
      return std::tuple(v, d, u, m, sums, y, dw);
    };
    CHECK(run(winograd_avx2[outputs - 4]) == run(winograd_avx512[outputs - 4]));
  }
}

}  // namespace fer::test
