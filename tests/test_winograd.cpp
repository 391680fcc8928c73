// What tests/cases does not see of Winograd's convolutions: how exact they are, and that instruction sets agree.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cpu/conv2d_winograd.h"
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

// Root of the mean squared error, in the root of the mean square.
double relative_error(const std::vector<float>& values, const std::vector<double>& exact) {
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += (values[i] - exact[i]) * (values[i] - exact[i]);
    size += exact[i] * exact[i];
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE("a convolution by Winograd, and its gradients, are within 1e-6 of their size") {
  struct Case {
    int64_t images, side, channels, taps, padding;
  };
  for (const auto& [images, side, channels, taps, padding] : {Case{8, 24, 64, 3, 1},
                                                              {4, 9, 512, 3, 1},
                                                              {4, 12, 256, 3, 1},
                                                              {64, 3, 32, 3, 1},
                                                              {64, 2, 512, 3, 1},
                                                              {8, 21, 64, 5, 0}}) {
    CAPTURE(side);
    const Conv2dParams params{1, symmetric_padding(padding)};
    const int64_t made = side + 2 * padding - taps + 1;
    const Shape x{images, side, side, channels}, w{32, taps, taps, channels}, y{images, made, made, 32};
    REQUIRE(is_winograd(params, w, y));
    const std::vector<float> xs = random_floats(x.size()), ws = random_floats(w.size()), dys = random_floats(y.size());
    const std::vector<double> exact_xs = widened(xs), exact_ws = widened(ws), exact_dys = widened(dys);
    // `count` results of a prepared function in floats against those of the plain loops in double.
    const auto check = [](int64_t count, const auto& prepared, auto&& in_floats, auto&& in_double) {
      std::vector<float> result(static_cast<size_t>(count));
      std::vector<double> exact(result.size());
      std::vector<std::byte> workspace(static_cast<size_t>(prepared.workspace_bytes) + memory_alignment);
      in_floats(prepared, result.data(), aligned(workspace));
      in_double(exact.data());
      CHECK(relative_error(result, exact) < 1e-6);
    };
    check(
        y.size(), prepare_conv2d_forward(params, x, w, y, false),
        [&](const auto& prepared, float* result, std::byte* workspace) {
          prepared.run({xs.data(), x}, {ws.data(), w}, {}, {result, y}, workspace);
        },
        [&](double* exact) {
          conv2d_forward<double>(params, {exact_xs.data(), x}, {exact_ws.data(), w}, {}, {exact, y});
        });
    check(
        x.size(), prepare_conv2d_backward_data(params, w, y, x),
        [&](const auto& prepared, float* result, std::byte* workspace) {
          prepared.run({ws.data(), w}, {dys.data(), y}, {result, x}, workspace);
        },
        [&](double* exact) {
          conv2d_backward_data<double>(params, {exact_ws.data(), w}, {exact_dys.data(), y}, {exact, x});
        });
    check(
        w.size(), prepare_conv2d_backward_weight(params, x, y, w, false),
        [&](const auto& prepared, float* result, std::byte* workspace) {
          prepared.run({xs.data(), x}, {dys.data(), y}, {result, w}, {}, workspace);
        },
        [&](double* exact) {
          conv2d_backward_weight<double>(params, {exact_xs.data(), x}, {exact_dys.data(), y}, {exact, w}, {});
        });
  }
}

namespace {

// Runs every function of both instruction sets' tiles on the same numbers.
void check_same_bits(const WinogradTile& one, const WinogradTile& other) {
  constexpr int64_t channels = winograd_channels, tiles = 3 * winograd_tiles;
  const int64_t elements = one.points * one.points, outputs = one.outputs;
  const int64_t taps = one.taps * one.taps;
  const std::vector<float> x = random_floats(elements * channels), w = random_floats(channels * taps * channels);
  const auto run = [&](const WinogradTile& tile) {
    std::vector<const float*> from;
    for (int64_t i = 0; i < elements; ++i) {
      from.push_back(x.data() + i * channels);
    }
    std::vector<float> v(x.size()), d(x.size()), sums(channels * channels, 0.5F);
    tile.input(from.data(), channels, v.data(), channels);
    tile.cotangent(from.data(), channels, d.data(), channels);
    // u is kept as [elements][channels][channels] here: panels are of different widths.
    std::vector<float> u(elements * channels * channels), m(tiles * channels);
    for (int64_t o = 0; o < channels; o += tile.panel) {
      const Block memory(aligned_bytes<float>(elements * channels * tile.panel));
      float* const panel = reinterpret_cast<float*>(memory.data());
      tile.weights({w.data() + o * taps * channels, taps * channels, 1, channels}, o == 0, panel,
                   channels * tile.panel);
      for (int64_t i = 0; i < elements * channels; ++i) {
        std::copy_n(panel + i * tile.panel, tile.panel, u.data() + i * channels + o);
      }
      // Any numbers will do as tiles.
      tile.multiply(w.data(), channels, tiles, panel, channels, m.data() + o, channels);
    }
    for (int64_t row = 0; row < channels; row += tile.factors) {
      for (int64_t c = 0; c < channels; c += tile.panel) {
        tile.add_products(d.data() + row, channels, v.data() + c, channels, one.points, false,
                          sums.data() + row * channels + c, channels);
      }
    }
    std::vector<float> y(outputs * outputs * channels, 0.25F), dw(taps * channels);
    std::vector<float*> to;
    for (int64_t i = 0; i < outputs * outputs; ++i) {
      to.push_back(y.data() + i * channels);
    }
    tile.output(v.data(), channels, channels, {.bias = w.data(), .add = true, .low = 0, .high = 6, .streamed = false},
                to.data());
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
  for (size_t i = 0; i < std::size(winograd_avx2.of); ++i) {
    check_same_bits(winograd_avx2.of[i], winograd_avx512.of[i]);
  }
}

}  // namespace fer::test
