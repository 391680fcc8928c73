// The one exception type of Ferrotype's public interface.
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>

namespace fer {

// What was wrong, where (operation, file, row, byte) and what would be right, in one line.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws Error with the parts streamed one after another.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

// "a, b, c": what a message lists. name_of(item) is streamed for every item.
template <class Range, class Name = std::identity>
std::string comma_list(const Range& items, Name&& name_of = {}) {
  std::ostringstream text;
  const char* separator = "";
  for (const auto& item : items) {
    text << separator << std::invoke(name_of, item);
    separator = ", ";
  }
  return text.str();
}

}  // namespace fer
