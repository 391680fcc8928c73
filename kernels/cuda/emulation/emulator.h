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

// The launches that `work` makes, which are not run but kept, to run later with the arguments they have now.
using Launch = std::function<void()>;
std::vector<Launch> record(const std::function<void()>& work);

// For launch(): is this a time of recording? Then it is to hand over the launch.
bool recording();
void keep(Launch launch);

}  // namespace fer::emulation
