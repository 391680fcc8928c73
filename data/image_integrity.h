// What the image decoder does not check: whether a file is whole.
#pragma once

#include <string>
#include <string_view>

namespace fer {

// What is wrong with a PNG (chunk lengths, checksums, the end chunk) or JPEG (the end marker) file; empty when
// nothing is. Files of other kinds are "neither PNG nor JPEG".
std::string image_fault(std::string_view file);

}  // namespace fer
