// What a CUDA thread of the emulation asks of the scheduler: to wait for others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fer::emulation {

// Where in the source a thread waits; two threads that wait together must do so in one place.
struct SourceLine {
  const char* file;
  int line;
};

// Waits for all threads of the block; returns for how many of them `predicate` is true.
int barrier(bool predicate, SourceLine at);

// Waits for the lanes of `mask`, all of which must do the same.
void synchronise_warp(unsigned mask, SourceLine at);
unsigned ballot(unsigned mask, bool predicate, SourceLine at);
// Copies what lane `source` has at its `value` to `result`; poison when that lane does not take part.
void shuffle(unsigned mask, const void* value, void* result, size_t bytes, unsigned source, SourceLine at);

// The calling thread's place in its warp.
unsigned lane();

}  // namespace fer::emulation
