// Scores on distorted images, as `fer eval --distort` gives them.
#pragma once

#include "apps/common.h"

namespace fer {

struct DistortOptions {
  std::vector<std::string> list;
  std::string reference;  // run that corruption errors are measured against

  void add_to(CLI::App& command);
  // Throws when the list holds what there is not.
  bool given() const;
};

// An object with
//   scores     [{name, style, kind, severity, n, correct, accuracy, interval, error, loss}], each on all of `chosen`
//   sections   {style: {parts: [{kind, n, accuracy, loss}], overall: {…}}} of paper 004's styles that are there in
//   full:
//              five equal sections of the set, one kind on each
//   mce        {style: {mce, reference, kinds: {kind: CE}}} of graded styles that are there in full, with --reference
// Kept as distortions.json where `folder` is not empty.
nlohmann::json score_distortions(const DistortOptions& options, const LoadedNetwork& loaded, const Dataset& chosen,
                                 uint64_t seed, const std::filesystem::path& folder);

// The same as tables for a terminal.
std::string distortions_text(const nlohmann::json& distortions);

}  // namespace fer
