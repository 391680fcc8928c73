// This same program as a child process.
#pragma once

#include <string>
#include <vector>

namespace fer {

struct ChildResult {
  int status = 0;            // exit status; 128 + signal when one ended it
  bool interrupted = false;  // Ctrl-C reached this program; the child was told and has ended
  std::string out;           // its standard output
  std::string last_error;    // the last line of its standard error, which was passed on as it came
};

// Runs `fer` with these words to its end. The child is in a process group of its own: Ctrl-C and SIGTERM reach this
// program alone, which passes them on once and waits for the child's checkpoint.
ChildResult run_self(const std::vector<std::string>& words);

}  // namespace fer
