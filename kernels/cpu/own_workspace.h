// Parts of a workspace that belong to one thread each. Small ones lie at the same places in every kernel, at the
// workspace's beginning: the thread's cache still has them, and no other thread has read them.
#pragma once

#include "tensor/cores.h"
#include "tensor/parallel.h"

namespace fer {

constexpr int64_t least_own_bytes = int64_t{1} << 20;  // from one part to the next

// Each thread is about to write the first `bytes` of its part. Where others may have read them last, as in large parts
// or where all threads read the `results` there, they are given up first if cores are far apart.
inline void take_over(std::byte* workspace, int64_t threads, int64_t own_bytes, int64_t bytes, bool results = false) {
  if ((own_bytes > least_own_bytes || results) && cores_are_far()) {
    parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        give_up_lines(workspace + part * own_bytes, bytes);
      }
    });
  }
}

// Adds to the first part's sums, all[0] … all[count - 1], those of the others: part p's lie at sums(p).
template <class Sums>
void add_up_parts(float* all, int64_t count, int64_t parts, Sums&& sums) {
  parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t part = 1; part < parts; ++part) {
      const float* const more = sums(part);
      for (int64_t i = begin; i < end; ++i) {
        all[i] += more[i];
      }
    }
  });
}

}  // namespace fer
