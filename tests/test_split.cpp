#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/split.h"
#include "tensor/error.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

// `count` different 2x2 images of `classes` classes in turn.
Dataset numbered_set(int64_t count, int classes) {
  Dataset dataset;
  for (int c = 0; c < classes; ++c) {
    dataset.classes.push_back("class " + std::to_string(c));
  }
  dataset.images = Tensor(DType::u8, {count, 2, 2, 1});
  dataset.labels = Tensor(DType::i32, {count});
  for (int64_t i = 0; i < count; ++i) {
    dataset.images.data<uint8_t>()[4 * i] = static_cast<uint8_t>(i % 256);
    dataset.images.data<uint8_t>()[4 * i + 1] = static_cast<uint8_t>(i / 256 + 1);
    dataset.labels.data<int32_t>()[i] = static_cast<int32_t>(i % classes);
  }
  dataset.parts.assign(static_cast<size_t>(count), Part::none);
  return dataset;
}

void copy_image(Dataset& dataset, int from, int to) {
  uint8_t* pixels = dataset.images.data<uint8_t>();
  std::copy_n(pixels + 4 * from, 4, pixels + 4 * to);
}

// Every sample stands in exactly one list, in ascending order.
void check_partition(const Split& split, int64_t count) {
  std::vector<int32_t> all;
  for (const auto* part : {&split.train, &split.validation, &split.test}) {
    CHECK(std::is_sorted(part->begin(), part->end()));
    all.insert(all.end(), part->begin(), part->end());
  }
  std::sort(all.begin(), all.end());
  REQUIRE(static_cast<int64_t>(all.size()) == count);
  for (int32_t i = 0; i < count; ++i) {
    CHECK(all[static_cast<size_t>(i)] == i);
  }
}

std::map<int32_t, int> class_counts(const Dataset& dataset, const std::vector<int32_t>& indices) {
  std::map<int32_t, int> counts;
  for (int32_t index : indices) {
    ++counts[dataset.labels.data<int32_t>()[index]];
  }
  return counts;
}

std::set<std::string> subjects_of(const Dataset& dataset, const std::vector<int32_t>& indices) {
  std::set<std::string> subjects;
  for (int32_t index : indices) {
    subjects.insert(dataset.subjects[static_cast<size_t>(index)]);
  }
  return subjects;
}

bool disjoint(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::none_of(a.begin(), a.end(), [&](const std::string& name) { return b.count(name) != 0; });
}

}  // namespace

TEST_CASE("split: official parts, with and without a private test part") {
  Dataset dataset = numbered_set(6, 2);
  dataset.parts = {Part::train, Part::public_test, Part::private_test, Part::train, Part::train, Part::train};
  Split split = make_split(dataset, {});
  CHECK(split.train == std::vector<int32_t>{0, 3, 4, 5});
  CHECK(split.validation == std::vector<int32_t>{1});
  CHECK(split.test == std::vector<int32_t>{2});

  split = make_split(dataset, {.validation = 0});
  CHECK(split.validation.empty());
  CHECK(split.train.size() == 4);

  dataset.parts[2] = Part::public_test;
  split = make_split(dataset, {});
  CHECK(split.validation.empty());
  CHECK(split.test == std::vector<int32_t>{1, 2});

  dataset.parts.assign(6, Part::none);
  CHECK(holds(error_of([&] { make_split(dataset, {}); }), "no official training part", "random:", "subject:"));
  dataset.parts.assign(6, Part::train);
  CHECK(holds(error_of([&] { make_split(dataset, {}); }), "no official test part"));
}

TEST_CASE("split: random shares are stratified, seeded and complete") {
  const Dataset dataset = numbered_set(700, 7);
  const SplitOptions options{.kind = "random:0.2", .validation = 0.25, .seed = 5};
  const Split split = make_split(dataset, options);
  check_partition(split, 700);
  for (int32_t label = 0; label < 7; ++label) {
    CHECK(class_counts(dataset, split.test)[label] == 20);
    CHECK(class_counts(dataset, split.validation)[label] == 20);
    CHECK(class_counts(dataset, split.train)[label] == 60);
  }
  CHECK(make_split(dataset, options).test == split.test);
  SplitOptions other = options;
  other.seed = 6;
  CHECK(make_split(dataset, other).test != split.test);
  // Another validation share leaves the test samples alone.
  other = options;
  other.validation = 0;
  CHECK(make_split(dataset, other).test == split.test);
}

TEST_CASE("split: a class of two has one sample on each side") {
  const Dataset dataset = numbered_set(6, 3);
  const Split split = make_split(dataset, {.kind = "random:0.1"});
  CHECK(split.test.size() == 3);
  CHECK(class_counts(dataset, split.test).size() == 3);
}

TEST_CASE("split: subjects stay on one side") {
  const Dataset faces = synthetic_faces(1200, 1);
  for (uint64_t seed : {0, 1, 2}) {
    const Split split = make_split(faces, {.kind = "subject:0.2", .validation = 0.2, .seed = seed});
    check_partition(split, faces.size());
    CHECK(disjoint(subjects_of(faces, split.train), subjects_of(faces, split.test)));
    CHECK(disjoint(subjects_of(faces, split.train), subjects_of(faces, split.validation)));
    CHECK(disjoint(subjects_of(faces, split.validation), subjects_of(faces, split.test)));
    CHECK(split.test.size() >= 200);
    CHECK(split.test.size() <= 280);
    CHECK(split.validation.size() >= 160);
    CHECK(split.validation.size() <= 224);
  }
}

TEST_CASE("split: two subjects of very different size still part") {
  Dataset dataset = numbered_set(10, 2);
  dataset.subjects.assign(10, "S1");
  dataset.subjects[3] = "S2";
  for (const char* kind : {"subject:0.01", "subject:0.99"}) {
    const Split split = make_split(dataset, {.kind = kind});
    check_partition(split, 10);
    CHECK(!split.train.empty());
    CHECK(!split.test.empty());
  }
  dataset.subjects.assign(10, "S1");
  CHECK(holds(error_of([&] { make_split(dataset, {.kind = "subject:0.2"}); }), "two or more"));
  dataset.subjects.clear();
  CHECK(holds(error_of([&] { make_split(dataset, {.kind = "subject:0.2"}); }), "no subjects", "random:"));
}

TEST_CASE("split: wrong kinds and shares are refused") {
  const Dataset dataset = numbered_set(10, 2);
  for (const char* kind : {"random:0", "random:1", "random:", "random:x", "random:0.2x", "subject:-1", "random:nan"}) {
    CHECK(holds(error_of([&] { make_split(dataset, {.kind = kind}); }), kind, "between 0 and 1"));
  }
  CHECK(holds(error_of([&] { make_split(dataset, {.kind = "other"}); }), "'other'"));
  CHECK(holds(error_of([&] { make_split(dataset, {.kind = "random:0.5", .validation = 1}); }), "validation"));
}

TEST_CASE("split: duplicates are grouped, counted and removed from training") {
  Dataset dataset = numbered_set(10, 2);
  copy_image(dataset, 0, 2);  // the same label
  copy_image(dataset, 0, 9);  // and another one
  copy_image(dataset, 4, 6);
  const Duplicates duplicates = find_duplicates(dataset);
  CHECK(duplicates.groups == 2);
  CHECK(duplicates.conflicting_groups == 1);
  CHECK(duplicates.images == 5);
  CHECK(duplicates.members == std::vector<std::vector<int32_t>>{{0, 2, 9}, {4, 6}});
  CHECK(twins_across(duplicates, {0, 1, 4, 5}, {2, 6, 7, 9}) == 3);
  CHECK(twins_across(duplicates, {1, 3}, {2, 6}) == 0);

  dataset.parts.assign(10, Part::train);
  dataset.parts[9] = Part::private_test;
  dataset.parts[6] = Part::public_test;
  const Split split = make_split(dataset, {.dedup = true});
  CHECK(split.train == std::vector<int32_t>{1, 3, 5, 7, 8});
  CHECK(split.validation == std::vector<int32_t>{6});
  CHECK(split.test == std::vector<int32_t>{9});
  CHECK(make_split(dataset, {}).train.size() == 8);
}

TEST_CASE("split: flat images") {
  Dataset dataset = numbered_set(4, 2);
  std::fill_n(dataset.images.data<uint8_t>() + 8, 4, uint8_t{9});
  CHECK(flat_images(dataset) == std::vector<int32_t>{2});
  dataset.images = Tensor(DType::u8, {1, 1, 2, 3});
  for (int i = 0; i < 6; ++i) {
    dataset.images.data<uint8_t>()[i] = static_cast<uint8_t>(i % 3);
  }
  CHECK(flat_images(dataset) == std::vector<int32_t>{0});
}
