// Distortions: what each does, pixel by pixel where that can be known, and by its statistics where it is drawn.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "analysis/metrics.h"
#include "data/dataset.h"
#include "data/distort.h"
#include "tensor/philox.h"

namespace fer::test {

namespace {

Distortion one(const std::string& name) {
  const auto all = parse_distortion(name);
  REQUIRE(all.size() == 1);
  return all.front();
}

Tensor grey(float value, Shape shape = {4, 48, 48, 1}) {
  Tensor images(DType::f32, shape);
  std::fill_n(images.data<float>(), images.size(), value);
  return images;
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const Tensor& tensor) {
  Moments result;
  const auto n = static_cast<double>(tensor.size());
  for (float x : tensor.as<const float>()) {
    result.mean += static_cast<double>(x) / n;
  }
  for (float x : tensor.as<const float>()) {
    result.deviation += (static_cast<double>(x) - result.mean) * (static_cast<double>(x) - result.mean) / n;
  }
  result.deviation = std::sqrt(result.deviation);
  return result;
}

int64_t count_of(const Tensor& tensor, float value) {
  return std::count(tensor.as<const float>().begin(), tensor.as<const float>().end(), value);
}

}  // namespace

TEST_CASE("distort: names") {
  CHECK(parse_distortion("cited").size() == 5);
  CHECK(parse_distortion("cited-255").size() == 5);
  CHECK(parse_distortion("clean").size() == 5);
  CHECK(parse_distortion("imagenet-c").size() == 20);
  CHECK(parse_distortion("cifar-c:3").size() == 4);
  CHECK(parse_distortion("imagenet-c/speckle").size() == 5);
  for (const char* name : {"cited/speckle", "cited-255/occlusion", "clean/salt-pepper", "cifar-c/gaussian-blur:5"}) {
    CHECK(name_of(one(name)) == name);
  }
  CHECK(name_of(one("occlusion")) == "clean/occlusion");
  for (const char* wrong :
       {"", "fog", "cited/fog", "clean:2", "imagenet-c:6", "imagenet-c/occlusion", "cited/speckle:1"}) {
    CAPTURE(wrong);
    CHECK_THROWS_WITH_AS(parse_distortion(wrong), doctest::Contains("imagenet-c:3"), Error);
  }
}

TEST_CASE("distort: the same numbers again, for each image alone, and others for another seed") {
  const Tensor faces = unit_images(synthetic_faces(5, 3));
  for (const char* style : {"cited", "cited-255", "clean", "imagenet-c:3", "cifar-c:1"}) {
    for (const Distortion& distortion : parse_distortion(style)) {
      CAPTURE(name_of(distortion));
      const Tensor all = distort(faces, distortion, 7);
      const Tensor first = distort(Tensor::from({2, 48, 48, 1}, faces.data<float>()), distortion, 7);
      CHECK(std::memcmp(all.data<float>(), first.data<float>(), static_cast<size_t>(first.bytes())) == 0);
      const Tensor other = distort(faces, distortion, 8);
      const bool same = std::memcmp(all.data<float>(), other.data<float>(), static_cast<size_t>(all.bytes())) == 0;
      CHECK(same == (distortion.kind == DistortionKind::gaussian_blur));
      if (distortion.style != DistortionStyle::cited && distortion.style != DistortionStyle::cited_255) {
        for (float pixel : all.as<const float>()) {
          REQUIRE((pixel >= 0 && pixel <= 1));
        }
      }
    }
  }
}

TEST_CASE("distort: blur leaves flat pictures alone, keeps the mean, and is the byte blur on bytes") {
  for (const char* name : {"cited/gaussian-blur", "clean/gaussian-blur", "imagenet-c/gaussian-blur:5"}) {
    const Tensor blurred = distort(grey(0.3f), one(name), 0);
    for (float pixel : blurred.as<const float>()) {
      REQUIRE(pixel == doctest::Approx(0.3).epsilon(1e-6));
    }
  }
  Tensor dot = grey(0, {1, 31, 31, 1});
  dot.data<float>()[15 * 31 + 15] = 1;
  double before = 1;
  for (int severity = 1; severity <= 5; ++severity) {
    const Tensor spread = distort(dot, {DistortionKind::gaussian_blur, DistortionStyle::cifar_c, severity}, 0);
    double sum = 0;
    for (float pixel : spread.as<const float>()) {
      sum += static_cast<double>(pixel);
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-6));
    const auto peak = static_cast<double>(spread.data<float>()[15 * 31 + 15]);
    CHECK(peak < before);
    before = peak;
  }
  // Sigma 1, five places of the peak: 1 / (2 pi) but for the kernel's ends.
  CHECK(before == doctest::Approx(0.15915).epsilon(1e-3));

  const Dataset faces = synthetic_faces(2, 3);
  const Tensor bytes = gaussian_blur(faces.images, 7);
  const Tensor cited = distort(unit_images(faces), one("cited-255/gaussian-blur"), 0);
  for (int64_t i = 0; i < bytes.size(); ++i) {
    REQUIRE(cited.data<float>()[i] == doctest::Approx(bytes.data<uint8_t>()[i] / 255.0).epsilon(1e-6));
  }
}

TEST_CASE("distort: gaussian noise has the deviation and the contrast of its source") {
  const Moments cited = moments(distort(grey(0.5f), one("cited/gaussian-noise"), 1));
  CHECK(cited.mean == doctest::Approx(0.375).epsilon(0.01));
  CHECK(cited.deviation == doctest::Approx(0.125).epsilon(0.03));
  const Moments bytes = moments(distort(grey(0.5f), one("cited-255/gaussian-noise"), 1));
  CHECK(bytes.deviation == doctest::Approx(0.125 / 255).epsilon(0.03));
  const double sd[] = {.08, .12, .18, .26, .38};
  for (int severity = 1; severity <= 3; ++severity) {  // above, clipping takes its share
    const Moments graded =
        moments(distort(grey(0.5f), {DistortionKind::gaussian_noise, DistortionStyle::imagenet_c, severity}, 1));
    CHECK(graded.mean == doctest::Approx(0.5).epsilon(0.01));
    CHECK(graded.deviation == doctest::Approx(sd[severity - 1]).epsilon(0.04));
  }
}

TEST_CASE("distort: salt and pepper") {
  for (const auto& [name, white] : std::map<std::string, float>{
           {"cited/salt-pepper", 255.0f}, {"cited-255/salt-pepper", 1.0f}, {"clean/salt-pepper", 1.0f}}) {
    CAPTURE(name);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const Tensor result = distort(grey(0.4f, {1, 48, 48, 1}), one(name), seed);
      const int64_t salt = count_of(result, white), pepper = count_of(result, 0);
      CHECK(salt <= 500);
      CHECK(pepper <= 500);
      CHECK(salt >= 10);  // 30 drawn with replacement, and then up to 500 black ones over them
      CHECK(pepper >= 20);
      CHECK(count_of(result, 0.4f) == 2304 - salt - pepper);
    }
  }
  for (const auto& [severity, share] : std::map<int, double>{{1, .03}, {3, .09}, {5, .27}}) {
    const Tensor result =
        distort(grey(0.4f, {8, 48, 48, 1}), {DistortionKind::salt_pepper, DistortionStyle::imagenet_c, severity}, 2);
    const auto n = static_cast<double>(result.size());
    CHECK(static_cast<double>(count_of(result, 1)) / n == doctest::Approx(share / 2).epsilon(0.1));
    CHECK(static_cast<double>(count_of(result, 0)) / n == doctest::Approx(share / 2).epsilon(0.1));
  }
}

TEST_CASE("distort: cited speckle multiplies by a normal number cast to a byte") {
  const Tensor images = grey(100.0f / 255, {1, 48, 48, 1});
  const Tensor unit = distort(images, one("cited/speckle"), 5), bytes = distort(images, one("cited-255/speckle"), 5);
  std::map<int, int64_t> seen;
  for (int64_t i = 0; i < images.size(); ++i) {
    // The cast: towards zero, then modulo 256.
    const Philox random(5, 0xD1570 + 3, 0);
    const int g = (static_cast<int>(random.normal(static_cast<uint64_t>(i))) + 256) % 256;
    ++seen[g];
    CHECK(unit.data<float>()[i] == doctest::Approx(100.0 / 255 * (1 + g)).epsilon(1e-5));
    CHECK(bytes.data<float>()[i] == doctest::Approx(((100 * (1 + g)) % 256) / 255.0).epsilon(1e-5));
  }
  CHECK(seen[0] == doctest::Approx(0.683 * 2304).epsilon(0.06));
  CHECK(seen[255] == doctest::Approx(0.136 * 2304).epsilon(0.2));
  const Moments graded = moments(distort(grey(0.5f), one("imagenet-c/speckle:2"), 1));
  CHECK(graded.deviation == doctest::Approx(0.1).epsilon(0.04));
}

TEST_CASE("distort: occlusion blackens one quadrant, each of them some time, and nothing else") {
  const Tensor images = unit_images(synthetic_faces(40, 2));
  const Tensor result = distort(images, one("cited/occlusion"), 3);
  std::set<std::pair<int, int>> corners;
  for (int64_t n = 0; n < 40; ++n) {
    int rows[2] = {48, -1}, columns[2] = {48, -1};
    for (int r = 0; r < 48; ++r) {
      for (int c = 0; c < 48; ++c) {
        const int64_t at = (n * 48 + r) * 48 + c;
        if (result.data<float>()[at] != images.data<float>()[at]) {
          CHECK(result.data<float>()[at] == 0);
          rows[0] = std::min(rows[0], r);
          rows[1] = std::max(rows[1], r);
          columns[0] = std::min(columns[0], c);
          columns[1] = std::max(columns[1], c);
        }
      }
    }
    CHECK(rows[0] / 24 == rows[1] / 24);
    CHECK(columns[0] / 24 == columns[1] / 24);
    corners.insert({rows[0] / 24, columns[0] / 24});
  }
  CHECK(corners.size() == 4);
}

TEST_CASE("distort: five equal sections, as numpy's array_split cuts them") {
  CHECK(section_bounds(3589, 5) == std::vector<int64_t>{0, 718, 1436, 2154, 2872, 3589});
  CHECK(section_bounds(10, 5) == std::vector<int64_t>{0, 2, 4, 6, 8, 10});
  CHECK(section_bounds(3, 5) == std::vector<int64_t>{0, 1, 2, 3, 3, 3});
}

TEST_CASE("distort: corruption errors divide sums over severities") {
  const std::vector<double> ratios = corruption_errors({{0.1, 0.2, 0.3}, {0.5}}, {{0.2, 0.2, 0.8}, {0.25}});
  REQUIRE(ratios.size() == 2);
  CHECK(ratios[0] == doctest::Approx(0.5));
  CHECK(ratios[1] == doctest::Approx(2));
  CHECK_THROWS_AS(corruption_errors({{0.1}}, {{0.1}, {0.2}}), Error);
  CHECK_THROWS_AS(corruption_errors({{0.1}}, {{0.1, 0.1}}), Error);
  CHECK_THROWS_WITH_AS(corruption_errors({{0.1}}, {{0.0}}), doctest::Contains("nothing to divide"), Error);
}

}  // namespace fer::test
