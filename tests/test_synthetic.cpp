#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "data/canvas.h"
#include "data/dataset.h"
#include "data/split.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/temporary_folder.h"

using namespace fer;

TEST_CASE("synthetic: a face depends on its seed and number only") {
  const Dataset many = synthetic_faces(130, 5);
  const int threads = thread_count();
  set_thread_count(1);
  const Dataset few = synthetic_faces(70, 5);
  set_thread_count(threads);
  CHECK(std::equal(few.images.data<uint8_t>(), few.images.data<uint8_t>() + few.images.size(),
                   many.images.data<uint8_t>()));
  CHECK(digest(synthetic_faces(70, 5)) == digest(few));
  CHECK(digest(synthetic_faces(70, 6)) != digest(few));
  CHECK(digest(synthetic_faces(70, 5 + (uint64_t{1} << 32))) != digest(few));
}

TEST_CASE("synthetic: shape, classes, balance and disjoint subjects") {
  const Dataset faces = synthetic_faces(1260, 1);
  CHECK(faces.images.shape() == Shape{1260, 48, 48, 1});
  CHECK(faces.classes == std::vector<std::string>{"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"});
  std::map<std::string, std::set<Part>> parts_of_subject;
  std::map<std::string, int> faces_of_subject;
  std::map<std::pair<int32_t, Part>, int> counts;
  for (size_t i = 0; i < 1260; ++i) {
    parts_of_subject[faces.subjects[i]].insert(faces.parts[i]);
    ++faces_of_subject[faces.subjects[i]];
    ++counts[{faces.labels.data<int32_t>()[i], faces.parts[i]}];
  }
  CHECK(parts_of_subject.size() == 63);
  for (const auto& [subject, parts] : parts_of_subject) {
    CHECK(parts.size() == 1);
    CHECK(faces_of_subject[subject] == 20);
  }
  for (int32_t label = 0; label < 7; ++label) {
    CHECK(counts[{label, Part::train}] == 120);
    CHECK(counts[{label, Part::private_test}] == 60);
  }
  const Split split = make_split(faces, {});
  CHECK(split.train.size() == 840);
  CHECK(split.test.size() == 420);
  CHECK(find_duplicates(faces).groups == 0);
  CHECK(flat_images(faces).empty());
}

TEST_CASE("synthetic: expressions can be told apart on people not seen before") {
  // The nearest class mean is about the weakest classifier there is; on 700 faces chance is 100 right with a
  // standard error of 9.3, so 140 is no accident.
  const Dataset faces = synthetic_faces(2100, 2);
  const Split split = make_split(faces, {});
  const auto normalised = [&](int32_t index) {
    std::vector<double> image(faces.images.data<uint8_t>() + index * 2304,
                              faces.images.data<uint8_t>() + (index + 1) * 2304);
    double sum = 0;
    double squares = 0;
    for (double pixel : image) {
      sum += pixel;
      squares += pixel * pixel;
    }
    const double mean = sum / 2304;
    const double deviation = std::sqrt(squares / 2304 - mean * mean);
    for (double& pixel : image) {
      pixel = (pixel - mean) / deviation;
    }
    return image;
  };
  std::vector<std::vector<double>> means(7, std::vector<double>(2304));
  for (int32_t index : split.train) {
    const std::vector<double> image = normalised(index);
    std::vector<double>& mean = means[static_cast<size_t>(faces.labels.data<int32_t>()[index])];
    for (size_t p = 0; p < 2304; ++p) {
      mean[p] += image[p] / 200;
    }
  }
  int right = 0;
  for (int32_t index : split.test) {
    const std::vector<double> image = normalised(index);
    std::vector<double> distances;
    for (const std::vector<double>& mean : means) {
      double distance = 0;
      for (size_t p = 0; p < 2304; ++p) {
        distance += (image[p] - mean[p]) * (image[p] - mean[p]);
      }
      distances.push_back(distance);
    }
    right +=
        std::min_element(distances.begin(), distances.end()) - distances.begin() == faces.labels.data<int32_t>()[index];
  }
  CHECK(right > 140);
}

TEST_CASE("synthetic: an empty set is refused, one face is not") {
  CHECK(holds(error_of([] { synthetic_faces(0, 1); }), "0 faces"));
  CHECK(synthetic_faces(1, 1).size() == 1);
  CHECK(open_dataset("synthetic:4", {.seed = 3}).size() == 4);
  CHECK(open_dataset("synthetic").size() == 3000);
}

TEST_CASE("synthetic: the canvas covers exactly the area of a polygon") {
  Canvas canvas(10, 10, 0);
  const auto total = [&] {
    double sum = 0;
    for (float pixel : canvas.pixels()) {
      sum += pixel;
    }
    return sum;
  };
  const std::array<Point, 4> square{{{1.25f, 2.5f}, {4.75f, 2.5f}, {4.75f, 6.25f}, {1.25f, 6.25f}}};
  canvas.fill(square, 1);
  CHECK(total() == doctest::Approx(3.5 * 3.75).epsilon(1e-5));
  CHECK(canvas.at(2, 4) == doctest::Approx(1));
  CHECK(canvas.at(1, 4) == doctest::Approx(0.75));

  canvas = Canvas(10, 10, 0);
  const std::array<Point, 3> triangle{{{0, 0}, {8, 0}, {0, 8}}};
  canvas.fill(triangle, 0.5f);
  CHECK(total() == doctest::Approx(16).epsilon(1e-4));

  canvas = Canvas(10, 10, 0);
  canvas.fill_clipped(square, triangle, 1);
  CHECK(total() < 3.5 * 3.75);
  CHECK(canvas.at(4, 5) == 0);

  // A polygon beyond every edge fills the canvas and writes nowhere else.
  canvas = Canvas(10, 10, 0);
  const std::array<Point, 4> large{{{-50, -50}, {60, -50}, {60, 60}, {-50, 60}}};
  canvas.fill(large, 1);
  CHECK(total() == doctest::Approx(100));
  const std::array<Point, 3> outside{{{-9, -9}, {-5, -9}, {-5, -5}}};
  canvas.fill(outside, 0);
  canvas.spot({-20, 30}, 5, 5, 0, 1);
  CHECK(total() == doctest::Approx(100));

  canvas = Canvas(10, 10, 0);
  canvas.at(5, 5) = 1;
  canvas.blur(0.25f, 2);
  CHECK(total() == doctest::Approx(1));
  CHECK(canvas.at(5, 5) == doctest::Approx(0.140625));
}
