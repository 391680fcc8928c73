// Names of the official parts: as Kaggle's Usage column has them, and as folders have them.
#pragma once

#include <optional>
#include <string_view>

#include "data/dataset.h"

namespace fer {

inline constexpr int part_count = 4;

// "Training", "PublicTest", "PrivateTest"; "none" for samples without an official part.
std::string_view usage_of(Part part);

// The part that `usage` names; empty for any other text.
std::optional<Part> part_of_usage(std::string_view usage);

}  // namespace fer
