#include "tests/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "tensor/error.h"

namespace fer {

namespace {

using Clock = std::chrono::steady_clock;

// Only what may be called between fork and exec.
[[noreturn]] void become(char* const* arguments, int out, int errors, std::optional<int64_t> file_size_limit) {
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  signal(SIGINT, SIG_DFL);
  if (file_size_limit) {
    const rlimit limit = {static_cast<rlim_t>(*file_size_limit), static_cast<rlim_t>(*file_size_limit)};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
  }
  execv(arguments[0], arguments);
  _exit(127);
}

// True while there may be more to come.
bool append_available(int descriptor, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count > 0) {
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return count > 0 || (count < 0 && errno == EINTR);
}

void close_once(int& descriptor) {
  if (descriptor >= 0) {
    close(descriptor);
    descriptor = -1;
  }
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, std::optional<int64_t> file_size_limit)
    : deadline_(Clock::now() + std::chrono::minutes(5)) {
  std::vector<std::string> words = {FER_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);

  int out[2], errors[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
    fail("run_program: no pipe: ", std::strerror(errno));
  }
  process_ = fork();
  if (process_ == 0) {
    become(pointers.data(), out[1], errors[1], file_size_limit);
  }
  close(out[1]);
  close(errors[1]);
  out_ = out[0];
  errors_ = errors[0];
  if (process_ < 0) {
    fail("run_program: cannot start ", words[0], ": ", std::strerror(errno));
  }
}

RunningProgram::~RunningProgram() {
  if (process_ > 0) {
    send(SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  close_once(out_);
  close_once(errors_);
}

// False once both streams have ended.
bool RunningProgram::read_some() {
  if (Clock::now() > deadline_) {
    send(SIGKILL);
  }
  // poll ignores descriptors below zero.
  pollfd polled[2] = {{out_, POLLIN, 0}, {errors_, POLLIN, 0}};
  if (poll(polled, 2, 1000) > 0) {
    if (polled[0].revents != 0 && !append_available(out_, result_.out)) {
      close_once(out_);
    }
    if (polled[1].revents != 0 && !append_available(errors_, result_.errors)) {
      close_once(errors_);
    }
  }
  return out_ >= 0 || errors_ >= 0;
}

bool RunningProgram::wait_for_error(const std::string& text) {
  while (result_.errors.find(text) == std::string::npos) {
    if (!read_some()) {
      return result_.errors.find(text) != std::string::npos;
    }
  }
  return true;
}

void RunningProgram::send(int signal) { kill(process_, signal); }

ProgramResult RunningProgram::finish() {
  while (read_some()) {
  }
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  result_.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return result_;
}

ProgramResult run_program(const std::vector<std::string>& arguments, std::optional<int64_t> file_size_limit) {
  return RunningProgram(arguments, file_size_limit).finish();
}

FolderWatch::FolderWatch(const std::filesystem::path& folder) : descriptor_(inotify_init1(IN_CLOEXEC)) {
  if (descriptor_ < 0 || inotify_add_watch(descriptor_, folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
    fail("run_program: cannot watch ", folder.string(), ": ", std::strerror(errno));
  }
}

FolderWatch::~FolderWatch() { close_once(descriptor_); }

bool FolderWatch::wait(const std::string& name, uint32_t event, int count) {
  const auto deadline = Clock::now() + std::chrono::minutes(1);
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (Clock::now() < deadline) {
    pollfd polled = {descriptor_, POLLIN, 0};
    if (poll(&polled, 1, 1000) <= 0) {
      continue;
    }
    const ssize_t filled = read(descriptor_, buffer.data(), buffer.size());
    for (ssize_t at = 0; at < filled;) {
      inotify_event one;
      std::memcpy(&one, buffer.data() + at, sizeof one);
      const std::string seen = one.len > 0 ? buffer.data() + at + sizeof one : "";
      if ((one.mask & event) != 0 && seen.rfind(name, 0) == 0 && --count == 0) {
        return true;
      }
      at += static_cast<ssize_t>(sizeof one + one.len);
    }
  }
  return false;
}

}  // namespace fer
