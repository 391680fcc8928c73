#include "apps/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "apps/common.h"
#include "tensor/error.h"

namespace fer {

namespace {

constexpr int look_every_ms = 200;  // at Ctrl-C

// Only what may be called between fork and exec.
[[noreturn]] void become(char* const* words, int out, int errors) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(out, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  execv("/proc/self/exe", words);
  _exit(127);
}

// Appends what there is to read; closes the pipe and marks it -1 at its end.
std::string take(int& descriptor) {
  std::array<char, 4096> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) {
    return "";
  }
  if (count <= 0) {
    close(descriptor);
    descriptor = -1;
    return "";
  }
  return {buffer.data(), static_cast<size_t>(count)};
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of("\n");
  if (end == std::string::npos) {
    return "";
  }
  const size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

}  // namespace

ChildResult run_self(const std::vector<std::string>& words) {
  interrupted();  // from here on Ctrl-C is ours to pass on
  std::vector<std::string> all = {"fer"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& word : all) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  int out[2], errors[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
    fail("cannot start fer ", words.front(), ": ", std::strerror(errno));
  }
  const pid_t child = fork();
  if (child == 0) {
    become(pointers.data(), out[1], errors[1]);
  }
  close(out[1]);
  close(errors[1]);
  if (child < 0) {
    close(out[0]);
    close(errors[0]);
    fail("cannot start fer ", words.front(), ": ", std::strerror(errno));
  }
  ChildResult result;
  std::string tail;
  while (out[0] >= 0 || errors[0] >= 0) {
    if (interrupted() && !result.interrupted) {
      result.interrupted = true;
      kill(child, SIGINT);
    }
    pollfd polled[2] = {{out[0], POLLIN, 0}, {errors[0], POLLIN, 0}};  // poll ignores descriptors below zero
    if (poll(polled, 2, look_every_ms) <= 0) {
      continue;
    }
    if (polled[0].revents != 0) {
      result.out += take(out[0]);
    }
    if (polled[1].revents != 0) {
      const std::string text = take(errors[0]);
      std::fwrite(text.data(), 1, text.size(), stderr);
      tail = (tail + text).substr(tail.size() + text.size() > 4096 ? tail.size() + text.size() - 4096 : 0);
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.interrupted = result.interrupted || interrupted();
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.last_error = last_line(tail);
  return result;
}

}  // namespace fer
