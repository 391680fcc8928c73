// Operations on data, which have no gradient to check them by: against numbers worked out by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"
#include "tests/evaluate.h"

namespace fer::test {

namespace {

template <class T>
std::vector<T> elements(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.size()};
}

// `count` different numbers in [0, 1).
Tensor ramp(Shape shape) {
  Tensor result(DType::f32, shape);
  for (int64_t i = 0; i < result.size(); ++i) {
    result.data<float>()[i] = static_cast<float>(i * 37 % 101) / 101;
  }
  return result;
}

Tensor augmented(const AugmentParams& params, const Tensor& images, const StepContext& step = {.seed = 1, .step = 1}) {
  Graph graph;
  const Value x = graph.input("x", DType::f32, images.shape());
  return evaluate({augment(x, params)}, {{x, images}}, step)[0];
}

}  // namespace

TEST_CASE("decode and gather: pixels by index, zeros where there is no such row") {
  Graph graph;
  const Value table = graph.input("table", DType::u8, {3, 1, 2, 1});
  const Value indices = graph.input("indices", DType::i32, {4});
  const auto results = evaluate({decode(gather(table, indices))},
                                {{table, tensor_of<uint8_t>({3, 1, 2, 1}, {0, 51, 102, 153, 204, 255})},
                                 {indices, tensor_of<int32_t>({4}, {2, 3, -1, 0})}});
  CHECK(elements<float>(results[0]) == std::vector<float>{204 / 255.f, 1, 0, 0, 0, 0, 0, 51 / 255.f});
}

TEST_CASE("pixel_candidates: later pixels win, those outside are ignored") {
  Graph graph;
  const Value image = graph.input("image", DType::f32, {2, 2, 2, 1});
  const Value pixels = graph.input("pixels", DType::i32, {4, 2, 2});
  const Value values = graph.input("values", DType::f32, {4, 2, 1});
  const auto results = evaluate({pixel_candidates(image, pixels, values)},
                                {{image, tensor_of<float>({2, 2, 2, 1}, {1, 2, 3, 4, 5, 6, 7, 8})},
                                 {pixels, tensor_of<int32_t>({4, 2, 2}, {0, 1, 1, 0,  //
                                                                         1, 1, 1, 1,  //
                                                                         2, 0, 0, 0,  //
                                                                         0, -1, 0, 2})},
                                 {values, tensor_of<float>({4, 2, 1}, {10, 20, 30, 40, 50, 60, 70, 80})}});
  CHECK(elements<float>(results[0]) == std::vector<float>{1, 10, 20, 4, 1, 2, 3, 40, 60, 6, 7, 8, 5, 6, 7, 8});
}

TEST_CASE("augment: flip alone gives each image or its mirror, and both occur") {
  const Tensor images = ramp({32, 3, 5, 2});
  const Tensor result = augmented({.flip = true}, images);
  int mirrored = 0;
  for (int64_t n = 0; n < 32; ++n) {
    const float* x = images.data<float>() + n * 30;
    const float* y = result.data<float>() + n * 30;
    const bool same = std::equal(x, x + 30, y);
    bool mirror = true;
    for (int64_t row = 0; row < 3; ++row) {
      for (int64_t i = 0; i < 5; ++i) {
        mirror = mirror && std::equal(x + (row * 5 + i) * 2, x + (row * 5 + i) * 2 + 2, y + (row * 5 + 4 - i) * 2);
      }
    }
    CHECK(same != mirror);
    mirrored += mirror;
  }
  CHECK(mirrored > 8);
  CHECK(mirrored < 24);
}

TEST_CASE("augment: draws repeat with seed and step, whatever the number of threads, and stay in range") {
  const AugmentParams params{.rotation = 20,
                             .shift = 0.2,
                             .zoom = 0.2,
                             .shear = 10,
                             .flip = true,
                             .brightness = 0.4,
                             .contrast = 0.5,
                             .erase = 0.5};
  const Tensor images = ramp({9, 12, 11, 1});
  const auto first = elements<float>(augmented(params, images));
  const int threads = thread_count();
  set_thread_count(threads == 1 ? 3 : 1);
  CHECK(elements<float>(augmented(params, images)) == first);
  set_thread_count(threads);
  CHECK(elements<float>(augmented(params, images, {.seed = 1, .step = 2})) != first);
  CHECK(elements<float>(augmented(params, images, {.seed = 2, .step = 1})) != first);
  CHECK(*std::min_element(first.begin(), first.end()) >= 0);
  CHECK(*std::max_element(first.begin(), first.end()) <= 1);
}

TEST_CASE("augment: resampling keeps a plane a plane, apart from clamped borders") {
  // Bilinear sampling of a linear image is exact: with a pure shift every inner pixel changes by the same amount.
  Tensor images(DType::f32, {4, 21, 21, 1});
  for (int64_t i = 0; i < images.size(); ++i) {
    images.data<float>()[i] = static_cast<float>(i % 21) / 32;
  }
  const Tensor result = augmented({.shift = 0.1}, images);
  for (int64_t n = 0; n < 4; ++n) {
    const float* x = images.data<float>() + n * 441;
    const float* y = result.data<float>() + n * 441;
    const float moved = y[10 * 21 + 10] - x[10 * 21 + 10];
    CHECK(std::abs(moved) <= 2.1f / 32);
    CHECK(moved != 0);
    for (int64_t i = 3 * 21 + 3; i < 18 * 21; ++i) {
      if (i % 21 >= 3 && i % 21 < 18) {
        CHECK(y[i] - x[i] == doctest::Approx(moved).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("augment: erase sets one rectangle of the stated size, all channels alike") {
  Tensor images(DType::f32, {16, 20, 30, 3});
  std::fill_n(images.data<float>(), images.size(), 2.f);
  const Tensor result = augmented({.erase = 1}, images);
  for (int64_t n = 0; n < 16; ++n) {
    int64_t top = 20, left = 30, bottom = 0, right = 0, erased = 0;
    for (int64_t i = 0; i < 600; ++i) {
      const float* pixel = result.data<float>() + (n * 600 + i) * 3;
      CHECK((pixel[0] == pixel[1] && pixel[1] == pixel[2]));
      if (pixel[0] != 2) {
        ++erased;
        top = std::min(top, i / 30), bottom = std::max(bottom, i / 30 + 1);
        left = std::min(left, i % 30), right = std::max(right, i % 30 + 1);
      }
    }
    CHECK(erased == (bottom - top) * (right - left));
    CHECK(erased >= 8);    // 2% of 600, less rounding of the sides
    CHECK(erased <= 140);  // 20%, plus rounding
  }
}

TEST_CASE("augment: nothing to do is nothing recorded, bad parameters are named") {
  Graph graph;
  const Value x = graph.input("x", DType::f32, {1, 2, 2, 1});
  CHECK(augment(x, {}) == x);
  CHECK_THROWS_WITH_AS(augment(x, {.zoom = 1}), "augment: zoom is 1, expected 0 or more and below 1", Error);
}

}  // namespace fer::test
