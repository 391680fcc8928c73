// Evaluation in batches: each image's probabilities are its own, whoever computes them and beside which others.
#include <doctest/doctest.h>

#include <cmath>

#include "data/dataset.h"
#include "models/saved_model.h"
#include "tensor/parallel.h"

namespace fer::test {

namespace {

std::vector<float> probabilities(const Network& network, const Dataset& faces, int threads, int64_t batch,
                                 Weights weights) {
  const ThreadCount count(threads);
  Classifier classifier(network, {48, 48, 1}, faces.images.dtype(), batch, weights);
  CHECK(classifier.parts() == std::min<int64_t>(threads, batch));
  const std::vector<float> first = classifier.probabilities(faces.images);
  CHECK(classifier.probabilities(faces.images) == first);
  return first;
}

}  // namespace

TEST_CASE("classifier: probabilities depend neither on the threads nor on the batch nor on kept weights") {
  const Dataset faces = synthetic_faces(13, 4);
  for (const char* model : {"mobilenet_v2", "resnet50", "cnn_2block"}) {
    CAPTURE(model);
    const Network network = make_network(model, {.size = 32}, 1);
    const std::vector<float> expected = probabilities(network, faces, 1, 13, Weights::change);
    REQUIRE(expected.size() == size_t{13 * 7});
    CHECK(probabilities(network, faces, 1, 13, Weights::stay) == expected);
    for (const auto& [threads, batch] : {std::pair{1, 4}, {2, 13}, {2, 4}, {3, 8}, {2, 1}}) {
      CAPTURE(threads);
      CAPTURE(batch);
      const std::vector<float> other = probabilities(network, faces, threads, batch, Weights::stay);
      REQUIRE(other.size() == expected.size());
      for (size_t i = 0; i < other.size(); ++i) {
        CHECK(std::abs(other[i] - expected[i]) < 1e-6F);
      }
    }
  }
}

TEST_CASE("classifier: rows that are asked for by their numbers, and none") {
  const Dataset faces = synthetic_faces(9, 4);
  const Network network = make_network("cnn_1block", {.size = 16}, 1);
  Classifier classifier(network, {48, 48, 1}, faces.images.dtype(), 4);
  const std::vector<float> all = classifier.probabilities(faces.images);
  const std::vector<int32_t> rows = {7, 0, 7};
  std::vector<double> seconds;
  const std::vector<float> some = classifier.probabilities(faces.images, rows, &seconds);
  CHECK(seconds.size() == classifier.plan().nodes().size());
  REQUIRE(some.size() == rows.size() * 7);
  for (size_t i = 0; i < some.size(); ++i) {
    CHECK(std::abs(some[i] - all[static_cast<size_t>(rows[i / 7]) * 7 + i % 7]) < 1e-6F);
  }
  CHECK(classifier.probabilities(faces.images, std::vector<int32_t>{}).empty());
}

}  // namespace fer::test
