// What `fer attack` has done so far, kept beside its output, so that long work can be taken up where it stopped.
#pragma once

#include <filesystem>
#include <vector>

#include "attacks/attack_result.h"

namespace fer {

// An attack's results on the first `done` images, one for each of its descriptions.
struct AttackState {
  int64_t done = 0;
  double seconds = 0;
  std::vector<AttackResult> results;
};

// Adds the results of the next images. f32 [n,H,W,C] each.
void append_results(AttackState& state, std::vector<AttackResult> next);

// `key` says what is being made: a checkpoint of anything else is refused when it is read.
void write_attack_checkpoint(const std::filesystem::path& path, const std::string& key,
                             const std::vector<AttackState>& states);
std::vector<AttackState> read_attack_checkpoint(const std::filesystem::path& path, const std::string& key);

}  // namespace fer
