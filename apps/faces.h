// Single pictures, made fit for a network.
#pragma once

#include "models/saved_model.h"

namespace fer {

bool is_picture(const std::filesystem::path& path);

// Side of the images a network was trained on: in run.json of a run folder, else its own input.
int64_t trained_side(const std::filesystem::path& run, const ModelOptions& options);

// A PNG or JPEG as u8 [1,H,W,C]: grey for networks of one channel; pictures of `side` twice or more are averaged down
// by a whole number. The rest of the way is the network's own, as with the data it was trained on. No face is looked
// for: the picture should be one.
Tensor read_face(const std::filesystem::path& path, const ModelOptions& options, int64_t side);

}  // namespace fer
