// Image files: decoding, encoding, contact sheets.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace fer {

// A PNG or JPEG as u8 [H,W,C] with C = 1 or 3 (alpha dropped). Throws naming the file when it is missing, corrupt,
// or over 64 megapixels (checked before decoding).
Tensor read_image(const std::filesystem::path& path);

// u8 [H,W,1] or [H,W,3] as PNG bytes.
std::string encode_png(const Tensor& image);
void write_png(const std::filesystem::path& path, const Tensor& image);

// Image `index` of a set as u8 [H,W,C]; f32 pixels are rounded from [0,1].
Tensor image_at(const Dataset& dataset, int64_t index);

// `rows` rows (one a class) of up to `columns` images each, side by side with a one-pixel gap: u8 [.,.,C].
Tensor montage(const Dataset& dataset, int columns);

}  // namespace fer
