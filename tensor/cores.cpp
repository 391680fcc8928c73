#include "tensor/cores.h"

#include <immintrin.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds busy(1);  // what takes longer waits for other processes

}  // namespace

double measure_core_latency(int handed) {
  constexpr int patience = 1 << 12, too_late = -1;
  alignas(memory_alignment) std::atomic<int> next = 0;
  const Clock::time_point limit = Clock::now() + 2 * handed * busy;
  Clock::time_point start;  // once both have settled on their cores
#pragma omp parallel num_threads(thread_count())
  {
    const int thread = omp_get_thread_num(), last = omp_get_num_threads() - 1;
    const bool takes_part = last > 0 && (thread == 0 || thread == last);
    for (int number = thread == 0 ? 0 : 1; takes_part && number < 2 * handed; number += 2) {
      int seen = next.load(std::memory_order_acquire);
      for (int tries = 0; seen != number && seen != too_late; ++tries) {
        if (tries > patience) {  // the other one may be waiting for this very core
          if (Clock::now() > limit) {
            next.store(too_late);
          }
          std::this_thread::yield();
        }
        seen = next.load(std::memory_order_acquire);
      }
      if (seen == too_late) {
        break;
      }
      if (number == handed) {
        start = Clock::now();
      }
      next.store(number + 1, std::memory_order_release);
    }
  }
  return next == 2 * handed ? std::chrono::duration<double, std::nano>(Clock::now() - start).count() / handed
                            : std::numeric_limits<double>::infinity();
}

bool cores_are_far() {
  constexpr double far = 75;  // cores of one cache take 20 to 65 ns, those of two 80 to 250
  constexpr auto valid = std::chrono::milliseconds(100);
  constexpr int handed = 128;
  static bool are_far = false;
  static Clock::time_point measured;
  if (const Clock::time_point now = Clock::now(); thread_count() > 1 && now - measured > valid) {
    const double latency = measure_core_latency(handed);
    are_far = latency > far && std::isfinite(latency);
    measured = now;
  }
  return are_far && thread_count() > 1;
}

void give_up_lines(void* memory, int64_t bytes) {
  constexpr int64_t line = 64, grain = 256;
  auto* const first = static_cast<std::byte*>(memory);
  parallel_for(bytes / line, grain, [=](int64_t begin, int64_t end) {
    for (std::byte* at = first + begin * line; at < first + end * line; at += sizeof(__m256i)) {
      _mm256_stream_si256(reinterpret_cast<__m256i*>(at), _mm256_setzero_si256());
    }
    _mm_sfence();
  });
}

}  // namespace fer
