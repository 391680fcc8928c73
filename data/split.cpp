#include "data/split.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <unordered_set>

#include "tensor/philox.h"

namespace fer {

namespace {

using Indices = std::vector<int32_t>;

// Streams of random numbers, so that the test and the validation samples are drawn apart.
constexpr uint32_t test_stream = 0x54455354;
constexpr uint32_t validation_stream = 0x56414C49;
constexpr uint32_t draw_stream = 0x44524157;

// One set of samples parted in two.
struct Halves {
  Indices kept;
  Indices taken;
};

// The share after the colon of "random:0.2".
double parse_share(const std::string& kind) {
  const size_t colon = kind.find(':');
  double share = 0;
  const char* begin = kind.data() + colon + 1;
  const char* end = kind.data() + kind.size();
  const auto [stop, error] = std::from_chars(begin, end, share);
  if (error != std::errc() || stop != end || !(share > 0 && share < 1)) {
    fail("split: '", kind, "': expected a share between 0 and 1, as in ", kind.substr(0, colon), ":0.2");
  }
  return share;
}

template <class T>
void shuffle(std::vector<T>& elements, RandomSequence& random) {
  for (size_t i = elements.size(); i > 1; --i) {
    std::swap(elements[i - 1], elements[random.below(static_cast<uint32_t>(i))]);
  }
}

// Takes `share` of each class, at least one and not all where the class has two or more.
Halves take_by_class(const Dataset& dataset, const Indices& indices, double share, RandomSequence random) {
  std::map<int32_t, Indices> classes;
  for (int32_t index : indices) {
    classes[dataset.labels.data<int32_t>()[index]].push_back(index);
  }
  Halves halves;
  for (auto& [label, members] : classes) {
    shuffle(members, random);
    const int64_t count = static_cast<int64_t>(members.size());
    int64_t taken = std::llround(share * static_cast<double>(count));
    if (count > 1) {
      taken = std::clamp<int64_t>(taken, 1, count - 1);
    }
    halves.taken.insert(halves.taken.end(), members.begin(), members.begin() + taken);
    halves.kept.insert(halves.kept.end(), members.begin() + taken, members.end());
  }
  return halves;
}

// Takes whole subjects, in random order, each where it brings the taken classes' counts closer to `share` of all.
Halves take_by_subject(const Dataset& dataset, const Indices& indices, double share, RandomSequence random) {
  if (dataset.subjects.empty()) {
    fail("split: this data names no subjects; use random:F");
  }
  std::map<std::string, Indices> members;
  for (int32_t index : indices) {
    members[dataset.subjects[static_cast<size_t>(index)]].push_back(index);
  }
  if (members.size() < 2) {
    fail("split: ", members.size(), " subject in the data, a split by subject needs two or more");
  }
  const auto class_counts = [&](const Indices& samples) {
    std::vector<double> counts(dataset.classes.size());
    for (int32_t index : samples) {
      ++counts[static_cast<size_t>(dataset.labels.data<int32_t>()[index])];
    }
    return counts;
  };
  const std::vector<double> totals = class_counts(indices);
  std::vector<double> missing = totals;
  for (double& count : missing) {
    count *= share;
  }
  std::vector<std::string> order;
  for (const auto& [subject, samples] : members) {
    order.push_back(subject);
  }
  shuffle(order, random);

  std::vector<std::string> kept;
  std::vector<std::string> taken;
  for (const std::string& subject : order) {
    const std::vector<double> counts = class_counts(members[subject]);
    double gain = 0;
    for (size_t c = 0; c < counts.size(); ++c) {
      if (totals[c] > 0) {
        gain += counts[c] * (2 * missing[c] - counts[c]) / totals[c];
      }
    }
    if (gain > 0) {
      taken.push_back(subject);
      std::transform(missing.begin(), missing.end(), counts.begin(), missing.begin(), std::minus<>());
    } else {
      kept.push_back(subject);
    }
  }
  // Neither side may stay empty, however small the share or large the subjects.
  auto& full = taken.empty() ? kept : taken;
  auto& other = taken.empty() ? taken : kept;
  if (other.empty()) {
    other.push_back(full.back());
    full.pop_back();
  }
  Halves halves;
  const auto append = [&](const std::vector<std::string>& subjects, Indices& samples) {
    for (const std::string& subject : subjects) {
      samples.insert(samples.end(), members[subject].begin(), members[subject].end());
    }
  };
  append(kept, halves.kept);
  append(taken, halves.taken);
  return halves;
}

Indices samples_of(const Dataset& dataset, Part part) {
  Indices indices;
  for (size_t i = 0; i < dataset.parts.size(); ++i) {
    if (dataset.parts[i] == part) {
      indices.push_back(static_cast<int32_t>(i));
    }
  }
  return indices;
}

Split official_split(const Dataset& dataset) {
  Split split;
  split.train = samples_of(dataset, Part::train);
  split.test = samples_of(dataset, Part::private_test);
  (split.test.empty() ? split.test : split.validation) = samples_of(dataset, Part::public_test);
  if (split.train.empty() || split.test.empty()) {
    fail("split: this data has no official ", split.train.empty() ? "training" : "test",
         " part; use random:F or subject:F, as in random:0.2");
  }
  return split;
}

// Removes training samples whose image also stands in validation or test.
void remove_twins(const Dataset& dataset, Split& split) {
  std::unordered_set<int32_t> held_out(split.test.begin(), split.test.end());
  held_out.insert(split.validation.begin(), split.validation.end());
  std::unordered_set<int32_t> twins;
  for (const Indices& members : find_duplicates(dataset).members) {
    if (std::any_of(members.begin(), members.end(), [&](int32_t member) { return held_out.count(member) != 0; })) {
      twins.insert(members.begin(), members.end());
    }
  }
  std::erase_if(split.train, [&](int32_t index) { return twins.count(index) != 0; });
}

}  // namespace

Split make_split(const Dataset& dataset, const SplitOptions& options) {
  if (options.validation >= 1) {
    fail("split: a validation share of ", options.validation, "; expected 0 or more and less than 1");
  }
  const bool by_subject = options.kind.starts_with("subject:");
  const auto take = by_subject ? take_by_subject : take_by_class;
  Split split;
  if (options.kind == "official") {
    split = official_split(dataset);
  } else if (by_subject || options.kind.starts_with("random:")) {
    Indices all(static_cast<size_t>(dataset.size()));
    std::iota(all.begin(), all.end(), 0);
    Halves halves = take(dataset, all, parse_share(options.kind), RandomSequence(Philox(options.seed, test_stream)));
    split.train = std::move(halves.kept);
    split.test = std::move(halves.taken);
  } else {
    fail("split: '", options.kind, "' is none of official, random:F, subject:F");
  }
  if (options.validation >= 0) {
    split.validation.clear();
  }
  if (options.validation > 0) {
    std::sort(split.train.begin(), split.train.end());
    Halves halves =
        take(dataset, split.train, options.validation, RandomSequence(Philox(options.seed, validation_stream)));
    split.train = std::move(halves.kept);
    split.validation = std::move(halves.taken);
  }
  if (options.dedup) {
    remove_twins(dataset, split);
  }
  for (Indices* indices : {&split.train, &split.validation, &split.test}) {
    std::sort(indices->begin(), indices->end());
  }
  if (split.train.empty() || split.test.empty()) {
    fail("split: ", options.kind, " leaves ", split.train.size(), " training and ", split.test.size(),
         " test samples of ", dataset.size());
  }
  return split;
}

std::vector<int32_t> draw_samples(std::vector<int32_t> samples, int64_t limit, uint64_t seed) {
  if (limit <= 0 || static_cast<size_t>(limit) >= samples.size()) {
    return samples;
  }
  RandomSequence random(Philox(seed, draw_stream));
  for (size_t i = 0; i < static_cast<size_t>(limit); ++i) {
    std::swap(samples[i], samples[i + random.below(static_cast<uint32_t>(samples.size() - i))]);
  }
  samples.resize(static_cast<size_t>(limit));
  std::sort(samples.begin(), samples.end());
  return samples;
}

}  // namespace fer
