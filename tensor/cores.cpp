#include "tensor/cores.h"

#include <immintrin.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

double measure_core_latency(int handed) {
  constexpr int patience = 1 << 12;
  alignas(memory_alignment) std::atomic<int> next = 0;
  Clock::time_point start, end;  // once both have settled on their cores
  const int threads = thread_count();
#pragma omp parallel num_threads(threads)
  if (const int thread = omp_get_thread_num(); thread == 0 || thread == threads - 1) {
    for (int number = thread == 0 ? 0 : 1; number < 2 * handed; number += 2) {
      for (int tries = 0; next.load(std::memory_order_acquire) != number; ++tries) {
        if (tries > patience) {  // the other one may be waiting for this very core
          std::this_thread::yield();
        }
      }
      if (number == handed) {
        start = Clock::now();
      }
      next.store(number + 1, std::memory_order_release);
    }
  }
  end = Clock::now();
  return std::chrono::duration<double, std::nano>(end - start).count() / handed;
}

bool cores_are_far() {
  // Cores of one cache take 20 to 65 ns, those of two 80 to 250. What takes longer waits for something else.
  constexpr double far = 75, busy = 1000;
  constexpr auto valid = std::chrono::milliseconds(100);
  constexpr int handed = 128;
  static bool are_far = false;
  static Clock::time_point measured;
  if (const Clock::time_point now = Clock::now(); thread_count() > 1 && now - measured > valid) {
    const double latency = measure_core_latency(handed);
    are_far = latency > far && latency < busy;
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
