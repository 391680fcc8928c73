#include "data/csv.h"

#include <algorithm>
#include <charconv>

#include "tensor/error.h"

namespace fer {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto outer = [](char c) { return c == ' ' || c == '\t' || c == '"'; };
  while (!text.empty() && outer(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && outer(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::vector<std::string_view> split_lines(const MappedFile& file) {
  constexpr size_t resident_bytes = 8 << 20;  // read at most so much before it is given back
  std::string_view text = file.text();
  size_t forgotten = text.size();
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (forgotten - text.size() > resident_bytes) {
      file.forget();
      forgotten = text.size();
    }
  }
  while (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  }
  return lines;
}

std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t comma = line.find(',');
    fields.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) {
      return fields;
    }
    line.remove_prefix(comma + 1);
  }
}

int parse_count(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && value <= most ? value : -1;
}

std::vector<size_t> find_columns(const std::string& file, std::string_view header,
                                 const std::vector<std::string>& wanted) {
  const std::vector<std::string_view> names = split_fields(header);
  std::vector<size_t> columns;
  for (const std::string& name : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      fail(file, ": row 1: no column '", name, "' in the header '", header.substr(0, 100), "'");
    }
    columns.push_back(static_cast<size_t>(found - names.begin()));
  }
  return columns;
}

}  // namespace fer
