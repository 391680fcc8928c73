// The built program as a child process: what it wrote, how it ended, signals and kills in the midst of its work.
#pragma once

#include <sys/inotify.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fer {

struct ProgramResult {
  int status = -1;          // exit status; -1 when a signal ended it
  int signal = 0;           // that ended it
  std::string out, errors;  // standard output, standard error
};

class RunningProgram {
 public:
  // Starts `fer` with these arguments; it is killed when it takes longer than five minutes. Writing more than
  // `file_size_limit` bytes to a file fails as a full disk does.
  explicit RunningProgram(const std::vector<std::string>& arguments, std::optional<int64_t> file_size_limit = {});
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  ~RunningProgram();

  // Waits until standard error holds `text`; false when the program ends without it.
  bool wait_for_error(const std::string& text);
  void send(int signal);
  // Waits for the end.
  ProgramResult finish();

 private:
  bool read_some();

  pid_t process_ = -1;
  int out_ = -1, errors_ = -1;
  std::chrono::steady_clock::time_point deadline_;
  ProgramResult result_;
};

ProgramResult run_program(const std::vector<std::string>& arguments, std::optional<int64_t> file_size_limit = {});

// Tells when files are made in a folder or appear in it under their final name.
class FolderWatch {
 public:
  explicit FolderWatch(const std::filesystem::path& folder);
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;
  ~FolderWatch();

  // Waits for event `count` of kind `event` (IN_CREATE, IN_MOVED_TO) on a name that begins with `name`; false when none
  // came within a minute.
  bool wait(const std::string& name, uint32_t event, int count = 1);

 private:
  int descriptor_ = -1;
};

}  // namespace fer
