// Reading comma-separated text that is already in memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"

namespace fer {

// The lines of `file` without their ends (LF or CRLF), a leading byte-order mark and blank lines at the end dropped.
std::vector<std::string_view> split_lines(const MappedFile& file);

// The fields of one line, without the spaces and the quotation marks around them. Fields that hold commas do not
// occur in these files and are not supported.
std::vector<std::string_view> split_fields(std::string_view line);

// The whole of `text` as a count; -1 when it is none or above `most`.
int parse_count(std::string_view text, int most);

// Where the columns named `wanted` stand in the header line; throws naming `file` and the missing column.
std::vector<size_t> find_columns(const std::string& file, std::string_view header,
                                 const std::vector<std::string>& wanted);

}  // namespace fer
