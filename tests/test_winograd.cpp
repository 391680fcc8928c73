// What tests/cases does not see of Winograd's convolutions: how exact they are, and that instruction sets agree.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cpu/winograd_tile.h"
#include "tensor/memory.h"

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

std::byte* aligned(std::vector<std::byte>& memory) {
  return memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & (memory_alignment - 1));
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
    std::vector<std::byte> workspace(static_cast<size_t>(forward.workspace_bytes) + memory_alignment);
    forward.run({images.data(), x}, {weights.data(), w}, {}, {result.data(), y}, aligned(workspace));

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

TEST_CASE("a weight gradient by Winograd is within 5e-6 of its size, in floats") {
  const Shape x{8, 24, 24, 64}, w{64, 3, 3, 64}, y{8, 24, 24, 64};
  const Conv2dParams params{1, symmetric_padding(1)};
  const std::vector<float> images = random_floats(x.size()), slopes = random_floats(y.size());
  std::vector<float> result(static_cast<size_t>(w.size()));
  const PreparedConv2dBackwardWeight backward = prepare_conv2d_backward_weight(params, x, y, w, false);
  std::vector<std::byte> workspace(static_cast<size_t>(backward.workspace_bytes) + memory_alignment);
  backward.run({images.data(), x}, {slopes.data(), y}, {result.data(), w}, {}, aligned(workspace));

  const std::vector<double> exact_images = widened(images), exact_slopes = widened(slopes);
  std::vector<double> exact(result.size());
  conv2d_backward_weight<double>(params, {exact_images.data(), x}, {exact_slopes.data(), y}, {exact.data(), w}, {});
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += (result[i] - exact[i]) * (result[i] - exact[i]);
    size += exact[i] * exact[i];
  }
  CHECK(std::sqrt(error / size) < 5e-6);
}

namespace {

// Runs every function of both instruction sets' tiles on the same numbers.
template <class T>
void check_same_bits(int64_t outputs, const WinogradTile<T>& one, const WinogradTile<T>& other) {
  constexpr int64_t channels = winograd_channels<T>, tiles = 3 * winograd_tiles;
  const int64_t inputs = outputs + 2, elements = inputs * inputs;
  const std::vector<float> x = random_floats(elements * channels), w = random_floats(channels * 9);
  const auto run = [&](const WinogradTile<T>& tile) {
    std::vector<const float*> from;
    for (int64_t i = 0; i < elements; ++i) {
      from.push_back(x.data() + i * channels);
    }
    std::vector<T> v(x.size()), d(x.size()), u(x.size()), sums(channels * channels, T(0.5));
    tile.input(from.data(), channels, v.data(), channels);
    tile.cotangent(from.data(), channels, d.data(), channels);
    for (int64_t o = 0; o < channels; o += tile.panel) {
      tile.weights({w.data() + o * 9, 9, 1}, u.data() + o, channels);
    }
    // Any numbers will do as the rows of matrices. A panel's columns lie together.
    std::vector<T> m(tiles * channels);
    for (int64_t o = 0; o < channels; o += tile.panel) {
      std::vector<T> panel(channels * tile.panel);
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
  CHECK(run(one) == run(other));
}

}  // namespace

TEST_CASE("Winograd's tiles have the same bits with AVX2 and AVX-512") {
  if (!__builtin_cpu_supports("avx512f")) {
    MESSAGE("skipped: this processor has no AVX-512");
    return;
  }
  for (int64_t outputs = 4; outputs <= 6; ++outputs) {
    check_same_bits(outputs, winograd_avx2.doubles[outputs - 4], winograd_avx512.doubles[outputs - 4]);
  }
  check_same_bits(4, winograd_avx2.floats[0], winograd_avx512.floats[0]);
}

}  // namespace fer::test
