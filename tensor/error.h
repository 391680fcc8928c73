// The one exception type of Ferrotype's public interface.
#pragma once

#include <sstream>
#include <stdexcept>

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

}  // namespace fer
