// Runs CUDA kernels on the CPU, for tests: blocks one after another, every CUDA thread a fiber that runs until it
// waits.
//
// What it notices by itself, in the kernel that did it: writes past either end of device or shared memory, barriers and
// warp operations that not all threads reach, or reach in different places, or after some have returned. Memory that
// was never written holds NaN. What depends on the order of threads shows as a difference between orders. Under
// AddressSanitizer every access is checked; under ThreadSanitizer every pair of accesses between two barriers.
#pragma once

#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace fer::emulation {

// In which order blocks, threads of a block, and threads released by a barrier take their turns.
enum class Order { forward, reverse, random };
void set_order(Order order, uint64_t seed = 1);

// Whether ThreadSanitizer looks for races between threads that no barrier keeps apart, whatever their order.
bool watches_races();

// What has run since the program began.
struct Counts {
  int64_t launches = 0, blocks = 0, threads = 0, barriers = 0, warp_operations = 0;
};
const Counts& counts();

// Runs body(context) once for each thread of each block. Throws Error naming the kernel and what it did wrong; what
// its threads had on their stacks is lost then.
void run(const char* kernel, dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(void*), void* context);

template <class Body>
void run(const char* kernel, dim3 blocks, dim3 threads, size_t shared_bytes, Body&& body) {
  run(
      kernel, blocks, threads, shared_bytes, [](void* context) { (*static_cast<Body*>(context))(); }, &body);
}

using Action = std::function<void()>;

// A launch on the queue of that Stream::handle: runs now, unless it is recorded or the queue is one that tarries.
void launch_on(const void* queue, Action launch);

// A queue that tarries runs its launches only when somebody waits for them: who does not finds nothing done.
void set_tarrying(std::optional<const void*> queue);
int64_t given_to(const void* queue);  // how many launches that was so far
void wait_for(const void* queue, int64_t given = std::numeric_limits<int64_t>::max());  // the first so many of them

// The launches that `work` makes, which are not run but kept, to run later with the arguments they have now.
struct Recording {
  std::vector<Action> actions;
  int64_t launches = 0;
};
Recording record(const std::function<void()>& work);

// What is no launch and has its place among them: done now, or recorded.
void act(Action action);

}  // namespace fer::emulation
