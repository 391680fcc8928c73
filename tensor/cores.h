// How far apart the cores are that run the threads, and what to do where that is far.
#pragma once

#include <cstdint>

namespace fer {

// Nanoseconds until the last thread sees what the first wrote, or the first what the last wrote: the mean of as many
// times as `handed`, after as many again. Infinity where that takes above a microsecond, since other processes keep the
// cores busy, and where there is but one thread.
double measure_core_latency(int handed = 10000);

// Whether they share no cache, as now and then measured anew: a virtual machine's processors are moved. False for one
// thread, and where other processes keep the cores busy.
bool cores_are_far();

// Takes memory that will be written whole out of all caches; its contents are gone. Threads share it out as they do
// results. A core that stores to a line which another one has read waits for it to be given up, line by line: where
// cores are far apart that takes some fifteen times as long as this.
void give_up_lines(void* memory, int64_t bytes);

}  // namespace fer
