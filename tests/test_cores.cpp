// How far apart cores are, and memory taken out of their caches.
#include <doctest/doctest.h>

#include <algorithm>

#include "tensor/cores.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

using namespace fer;

TEST_CASE("cores: the time from one to another is positive, and one thread is not far from itself") {
  const int threads = thread_count();
  set_thread_count(2);
  CHECK(measure_core_latency(100) > 0);
  set_thread_count(1);
  CHECK(!cores_are_far());
  set_thread_count(threads);
}

TEST_CASE("cores: only whole lines within the memory are given up") {
  constexpr int64_t line = 64, lines = 1000;  // enough for two threads
  Tensor memory(DType::u8, {(lines + 2) * line});
  const auto bytes = memory.as<uint8_t>();
  std::fill(bytes.begin(), bytes.end(), uint8_t{1});
  give_up_lines(memory.data<uint8_t>() + line, lines * line + line / 2);
  const auto first = bytes.begin() + line, last = first + lines * line;
  CHECK(std::all_of(bytes.begin(), first, [](uint8_t byte) { return byte == 1; }));
  CHECK(std::all_of(first, last, [](uint8_t byte) { return byte == 0; }));
  CHECK(std::all_of(last, bytes.end(), [](uint8_t byte) { return byte == 1; }));
}
