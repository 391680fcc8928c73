#include "data/ferplus.h"

#include <algorithm>
#include <numeric>

#include "data/class_names.h"
#include "data/csv.h"
#include "data/part.h"
#include "tensor/file.h"

namespace fer {

namespace {

constexpr size_t class_count = 8;  // without unknown and NF
constexpr int most_votes = 1000;

// The steps below follow the reference code (github.com/microsoft/FERPlus, ferplus.py) to the letter, ties included.
// An all-zero result stands for its "unknown".
using Shares = std::array<double, 10>;

double sum(const Shares& shares) { return std::accumulate(shares.begin(), shares.end(), 0.0); }

Shares majority_shares(const Shares& votes) {
  Shares kept{};
  const auto most = std::max_element(votes.begin(), votes.end());
  if (*most > 0.5 * sum(votes)) {
    kept[static_cast<size_t>(most - votes.begin())] = *most;
  }
  return kept;
}

Shares leading_shares(Shares votes) {
  const double total = sum(votes);
  Shares kept{};
  double taken = 0;
  int classes = 0;
  bool valid = true;
  while (taken < 0.75 * total && classes < 3 && valid) {
    const double most = *std::max_element(votes.begin(), votes.end());
    for (size_t i = 0; i < votes.size(); ++i) {
      if (votes[i] != most) {
        continue;
      }
      kept[i] = most;
      votes[i] = 0;
      taken += most;
      ++classes;
      if (i >= class_count) {  // unknown and NF end the collection, and do not count after an expression
        valid = false;
        if (sum(kept) > most) {
          kept[i] = 0;
          --classes;
        }
        break;
      }
    }
  }
  const bool unclear = sum(kept) <= 0.5 * total || classes > 3;
  return unclear ? Shares{} : kept;
}

Shares frequent_shares(const Shares& votes) {
  const double total = sum(votes);
  Shares kept{};
  for (size_t i = 0; i < votes.size(); ++i) {
    kept[i] = votes[i] >= 0.3 * total ? votes[i] : 0;
  }
  return sum(kept) <= 0.5 * total ? Shares{} : kept;
}

// The rows of one part in the votes file.
using VotesOfParts = std::array<std::vector<Votes>, part_count>;

VotesOfParts read_votes(const std::filesystem::path& path) {
  const std::string file = "ferplus: " + path.string();
  const MappedFile mapping(path);
  const std::vector<std::string_view> lines = split_lines(mapping);
  if (lines.empty()) {
    fail(file, ": the file is empty, expected a header 'Usage,Image name,neutral,happiness,…'");
  }
  std::vector<std::string> wanted{"Usage"};
  wanted.insert(wanted.end(), ferplus_classes().begin(), ferplus_classes().end());
  const std::vector<size_t> columns = find_columns(file, lines[0], wanted);
  const size_t field_count = split_fields(lines[0]).size();

  VotesOfParts result;
  for (size_t row = 2; row <= lines.size(); ++row) {
    const std::vector<std::string_view> fields = split_fields(lines[row - 1]);
    if (fields.size() != field_count) {
      fail(file, ": row ", row, ": has ", fields.size(), " fields, expected ", field_count);
    }
    const std::string_view usage = fields[columns[0]];
    const std::optional<Part> part = part_of_usage(usage);
    if (!part) {
      fail(file, ": row ", row, ": Usage '", usage.substr(0, 20), "' is none of Training, PublicTest, PrivateTest");
    }
    Votes votes;
    for (size_t i = 0; i < votes.size(); ++i) {
      const std::string_view text = fields[columns[i + 1]];
      votes[i] = parse_count(text, most_votes);
      if (votes[i] < 0) {
        fail(file, ": row ", row, ": ", ferplus_classes()[i], " has '", text.substr(0, 20), "' votes, not a count");
      }
    }
    result[static_cast<size_t>(*part)].push_back(votes);
  }
  return result;
}

// The votes of each sample of `dataset`.
std::vector<Votes> matched_votes(const Dataset& dataset, const std::filesystem::path& path) {
  const VotesOfParts votes = read_votes(path);
  for (Part part : {Part::train, Part::public_test, Part::private_test}) {
    const auto images = std::count(dataset.parts.begin(), dataset.parts.end(), part);
    const size_t rows = votes[static_cast<size_t>(part)].size();
    if (images != 0 && static_cast<size_t>(images) != rows) {
      fail("ferplus: ", path.string(), ": ", rows, " ", usage_of(part), " rows, the csv has ", images,
           "; both must hold the whole part, in the same order");
    }
  }
  std::array<size_t, part_count> next{};
  std::vector<Votes> matched;
  for (Part part : dataset.parts) {
    const size_t index = static_cast<size_t>(part);
    matched.push_back(votes[index][next[index]++]);
  }
  return matched;
}

Dataset with_ten_classes(Dataset dataset, const std::vector<Votes>& votes) {
  dataset.classes = ferplus_classes();
  for (size_t i = 0; i < votes.size(); ++i) {
    const auto most = std::max_element(votes[i].begin(), votes[i].end());
    dataset.labels.data<int32_t>()[i] = static_cast<int32_t>(most - votes[i].begin());
  }
  return dataset;
}

std::string_view name_of(FerPlusMode mode) {
  constexpr std::string_view names[] = {"fer2013",      "majority",    "probability",
                                        "crossentropy", "multitarget", "argmax10"};
  return names[static_cast<int>(mode)];
}

}  // namespace

std::optional<std::array<double, 8>> expression_shares(const Votes& votes, FerPlusMode mode) {
  Shares clear{};
  std::transform(votes.begin(), votes.end(), clear.begin(), [](int count) { return count > 1 ? count : 0; });
  Shares kept{};
  switch (mode) {
    case FerPlusMode::majority:
      kept = majority_shares(clear);
      break;
    case FerPlusMode::probability:
    case FerPlusMode::crossentropy:
      kept = leading_shares(clear);
      break;
    case FerPlusMode::multitarget:
      kept = frequent_shares(clear);
      break;
    default:
      fail("ferplus: mode ", name_of(mode), " has no shares of expressions");
  }
  const auto most = std::max_element(kept.begin(), kept.end());
  if (*most == 0 || most - kept.begin() >= static_cast<std::ptrdiff_t>(class_count)) {
    return std::nullopt;
  }
  std::array<double, 8> shares;
  std::copy_n(kept.begin(), class_count, shares.begin());
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::transform(shares.begin(), shares.end(), shares.begin(), [&](double share) { return share / total; });
  return shares;
}

Dataset with_ferplus_labels(const Dataset& dataset, const std::filesystem::path& file, FerPlusMode mode) {
  const std::vector<Votes> votes = matched_votes(dataset, file);
  Dataset labelled;
  if (mode == FerPlusMode::argmax10) {
    labelled = with_ten_classes(dataset, votes);
  } else {
    std::vector<int32_t> kept;
    std::vector<int32_t> labels;
    std::vector<float> targets;
    for (size_t i = 0; i < votes.size(); ++i) {
      const FerPlusMode rule = dataset.parts[i] == Part::train ? mode : FerPlusMode::majority;
      const auto shares = expression_shares(votes[i], rule);
      if (!shares) {
        continue;
      }
      kept.push_back(static_cast<int32_t>(i));
      labels.push_back(static_cast<int32_t>(std::max_element(shares->begin(), shares->end()) - shares->begin()));
      for (double share : *shares) {
        targets.push_back(mode == FerPlusMode::multitarget ? (share > 0 ? 1.0f : 0.0f) : static_cast<float>(share));
      }
    }
    if (kept.empty()) {
      fail("ferplus: ", file.string(), ": mode ", name_of(mode), " keeps none of ", dataset.size(), " images");
    }
    labelled = select(dataset, kept);
    const int64_t count = static_cast<int64_t>(kept.size());
    labelled.classes.assign(ferplus_classes().begin(), ferplus_classes().begin() + class_count);
    labelled.labels = Tensor::from<int32_t>({count}, labels.data());
    if (mode != FerPlusMode::majority) {
      labelled.targets = Tensor::from<float>({count, static_cast<int64_t>(class_count)}, targets.data());
      labelled.multi_target = mode == FerPlusMode::multitarget;
    }
  }
  labelled.metadata["ferplus"] = file.filename().string();
  labelled.metadata["ferplus_mode"] = name_of(mode);
  for (Part part : {Part::train, Part::public_test, Part::private_test}) {
    const auto before = std::count(dataset.parts.begin(), dataset.parts.end(), part);
    if (before != 0) {
      labelled.metadata["ferplus_kept_" + std::string(usage_of(part))] =
          std::to_string(std::count(labelled.parts.begin(), labelled.parts.end(), part)) + " of " +
          std::to_string(before);
    }
  }
  return labelled;
}

}  // namespace fer
