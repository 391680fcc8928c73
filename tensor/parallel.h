// Loops over the processor's cores.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace fer {

inline int thread_count() { return omp_get_max_threads(); }
inline void set_thread_count(int threads) { omp_set_num_threads(threads); }

// While it lives, loops started by this thread run on so many.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(thread_count()) { set_thread_count(threads); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;
  ~ThreadCount() { set_thread_count(before_); }

 private:
  int before_;
};

// Calls body(begin, end, part) for `parts` contiguous, nearly equal pieces of 0 … count - 1, at most one piece a
// thread and none smaller than `grain` (unless count is). The pieces depend only on count, grain and the number of
// threads, so sums over them are reproducible. `part` numbers the piece from 0.
template <class Body>
void parallel_parts(int64_t count, int64_t grain, Body&& body) {
  const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int parts = static_cast<int>(std::min<int64_t>(most, thread_count()));
  if (parts == 1) {
    body(int64_t{0}, count, 0);
    return;
  }
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    body(count * part / parts, count * (part + 1) / parts, part);
  }
}

// body(begin, end) for pieces that need not know which they are.
template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  parallel_parts(count, grain, [&](int64_t begin, int64_t end, int) { body(begin, end); });
}

}  // namespace fer
