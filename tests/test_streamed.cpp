// Results so large that they go past the caches, against the same results made in parts that do not.
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/lanes.h"
#include "tensor/tensor.h"

namespace fer::test {

namespace {

Tensor random_tensor(const Shape& shape) {
  static std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Tensor tensor(DType::f32, shape);
  for (float& value : tensor.as<float>()) {
    value = normal(generator);
  }
  return tensor;
}

View<float> images(Tensor& tensor, int64_t first, int64_t count) {
  const Shape shape = tensor.shape();
  return {tensor.data<float>() + first * shape[1] * shape[2] * shape[3], shape.with(0, count)};
}

constexpr int64_t count = 17, half = 8;
const Shape shape{count, 64, 64, 64};
const int64_t bytes = shape.size() * int64_t{sizeof(float)};
static_assert(half * 64 * 64 * 64 * sizeof(float) < least_streamed_bytes);

}  // namespace

TEST_CASE("streamed: a convolution by Winograd") {
  REQUIRE(bytes >= least_streamed_bytes);
  const Conv2dParams params{1, symmetric_padding(1)};
  const Shape w{64, 3, 3, 32};
  Tensor x = random_tensor(shape.with(3, 32)), weights = random_tensor(w), bias = random_tensor({64});
  Tensor y(DType::f32, shape), y_in_parts(DType::f32, shape);
  const auto run = [&](Tensor& to, int64_t first, int64_t some) {
    const View<float> from = images(x, first, some), result = images(to, first, some);
    REQUIRE(is_winograd(params, w, result.shape));
    const PreparedConv2dForward prepared = prepare_conv2d_forward(params, from.shape, w, result.shape, true);
    Tensor workspace(DType::u8, {prepared.workspace_bytes});
    prepared.run(from, weights.as<float>(), bias.as<float>(), result,
                 reinterpret_cast<std::byte*>(workspace.data<uint8_t>()));
  };
  run(y, 0, count);
  run(y_in_parts, 0, half);
  run(y_in_parts, half, half);
  run(y_in_parts, 2 * half, count - 2 * half);
  CHECK(std::memcmp(y.data<float>(), y_in_parts.data<float>(), static_cast<size_t>(bytes)) == 0);
}

TEST_CASE("streamed: a batch-norm") {
  Tensor x = random_tensor(shape), residual = random_tensor(shape);
  Tensor gamma = random_tensor({64}), beta = random_tensor({64}), mean = random_tensor({64}),
         scale = random_tensor({64});
  Tensor y(DType::f32, shape), y_in_parts(DType::f32, shape);
  Tensor workspace(DType::u8, {batch_norm_workspace_bytes<float>(64)});
  for (const bool adds : {false, true}) {
    const auto run = [&](Tensor& from, Tensor& to, int64_t first, int64_t some) {
      batch_norm_again<float>(Activation::silu, View<const float>(images(from, first, some)), gamma.as<float>(),
                              beta.as<float>(), adds ? images(residual, first, some) : View<float>{}, mean.as<float>(),
                              scale.as<float>(), images(to, first, some),
                              reinterpret_cast<std::byte*>(workspace.data<uint8_t>()));
    };
    run(x, y, 0, count);
    run(x, y_in_parts, 0, half);
    run(x, y_in_parts, half, half);
    run(x, y_in_parts, 2 * half, count - 2 * half);
    CHECK(std::memcmp(y.data<float>(), y_in_parts.data<float>(), static_cast<size_t>(bytes)) == 0);
    Tensor in_place = x.clone();
    run(in_place, in_place, 0, count);
    CHECK(std::memcmp(y.data<float>(), in_place.data<float>(), static_cast<size_t>(bytes)) == 0);
  }
}

}  // namespace fer::test
