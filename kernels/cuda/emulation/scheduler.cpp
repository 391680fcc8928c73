#include "kernels/cuda/emulation/scheduler.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <string>

#include "kernels/cuda/emulation/device.h"
#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/emulation/fiber.h"
#include "kernels/cuda/emulation/memory.h"
#include "kernels/cuda/emulation/sanitizer.h"
#include "tensor/error.h"

namespace fer::cuda {
inline namespace emulated {

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

}  // namespace emulated
}  // namespace fer::cuda

namespace fer::emulation {

namespace {

using cuda::emulated::blockDim;
using cuda::emulated::blockIdx;
using cuda::emulated::gridDim;
using cuda::emulated::threadIdx;

constexpr unsigned lanes = 32;
constexpr size_t most_threads = 1024;

enum class State { fresh, ready, at_barrier, at_warp_operation, done };
enum class WarpOperation { synchronise, ballot, shuffle };

// What a thread brought to the warp operation it waits at.
struct WarpArgument {
  WarpOperation operation = WarpOperation::synchronise;
  unsigned mask = 0;
  bool predicate = false;
  const void* value = nullptr;
  void* result = nullptr;
  size_t bytes = 0;
  unsigned source = 0;
};

struct Thread {
  uint3 index = {};
  State state = State::fresh;
  Fiber* fiber = nullptr;
  SourceLine at = {};
  WarpArgument warp = {};
  unsigned votes = 0;  // the result of a ballot; of a barrier, how many predicates were true
};

struct Warp {
  unsigned live = 0, waiting = 0;
};

class Scheduler {
 public:
  void run(const char* kernel, dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(void*), void* context);

  int barrier(bool predicate, SourceLine at);
  unsigned warp_operation(const WarpArgument& argument, SourceLine at);
  unsigned lane() const { return static_cast<unsigned>(running_) % lanes; }

  Order order = Order::forward;
  uint64_t seed = 1;
  Counts counts;

 private:
  void run_block(size_t shared_bytes);
  [[noreturn]] void run_threads();
  Fiber& take_fiber();
  int next_thread();
  void start_or_resume(int thread);
  [[noreturn]] void leave();
  void wait();
  void release_barrier_when_complete();
  void finish_warp_operation(unsigned warp, unsigned mask);
  void make_ready(std::vector<int>& threads);
  void fault(const std::string& what);
  std::string place(int thread) const;
  std::string who_waits() const;
  template <class T>
  void shuffle_order(std::vector<T>& items);

  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  std::string fault_;
  uint64_t random_ = 1;
  uint64_t block_number_ = 0;

  std::vector<Thread> threads_;
  std::vector<int> start_order_;
  size_t started_ = 0;
  std::array<int, most_threads> ready_ = {};  // a ring: first_ready_ is the next to go on
  size_t first_ready_ = 0, ready_count_ = 0;
  std::vector<Warp> warps_;
  int running_ = -1;
  int live_ = 0, arrived_ = 0, predicates_ = 0;

  Fiber program_;
  Fiber* running_fiber_ = &program_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::vector<Fiber*> finished_;  // idle once the block has ended: the running one cannot be given away

  // Addresses by which ThreadSanitizer is told what happens before what. Barriers alternate between two, so that a
  // thread past the next barrier is not ordered before those still leaving this one.
  char block_begins_ = 0, thread_ends_ = 0;
  std::array<char, 2> barriers_ = {};
  std::array<char, most_threads> warp_arrivals_ = {};
};

Scheduler& scheduler() {
  static Scheduler instance;
  return instance;
}

template <class T>
void Scheduler::shuffle_order(std::vector<T>& items) {
  for (size_t i = items.size(); i > 1; --i) {
    random_ = random_ * 6364136223846793005 + 1442695040888963407;
    std::swap(items[i - 1], items[(random_ >> 33) % i]);
  }
}

std::string Scheduler::place(int thread) const {
  const uint3& t = threads_[static_cast<size_t>(thread)].index;
  const auto three = [](const uint3& i) {
    return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
  };
  return "thread " + three(t) + " of block " + three(blockIdx);
}

std::string Scheduler::who_waits() const {
  for (size_t t = 0; t < threads_.size(); ++t) {
    const Thread& thread = threads_[t];
    if (thread.state == State::at_barrier || thread.state == State::at_warp_operation) {
      return place(static_cast<int>(t)) + " waits at " + thread.at.file + ":" + std::to_string(thread.at.line);
    }
  }
  return "nobody waits";
}

void Scheduler::fault(const std::string& what) {
  if (fault_.empty()) {
    fault_ = what;
  }
}

Fiber& Scheduler::take_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>([] { scheduler().run_threads(); }));
    return *fibers_.back();
  }
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  return *fiber;
}

// The thread whose turn it is; -1 when none can run.
int Scheduler::next_thread() {
  const bool can_start = started_ < start_order_.size();
  bool resume = ready_count_ > 0;
  if (resume && can_start && order == Order::random) {
    random_ = random_ * 6364136223846793005 + 1442695040888963407;
    resume = random_ >> 63;
  }
  if (resume) {
    --ready_count_;
    return ready_[first_ready_++ % most_threads];
  }
  return can_start ? start_order_[started_++] : -1;
}

void Scheduler::start_or_resume(int thread) {
  Thread& next = threads_[static_cast<size_t>(thread)];
  if (next.state == State::fresh) {
    next.fiber = &take_fiber();
  }
  running_ = thread;
  threadIdx = next.index;
  Fiber* const from = running_fiber_;
  running_fiber_ = next.fiber;
  from->switch_to(*next.fiber);
}

// Gives the block up, or hands the processor back when it has ended.
void Scheduler::leave() {
  Fiber* const from = running_fiber_;
  running_fiber_ = &program_;
  from->switch_to(program_);
  std::abort();  // nobody goes back to a fiber that left
}

// Runs others until this thread is ready again.
void Scheduler::wait() {
  const int self = running_;
  const int next = fault_.empty() ? next_thread() : -1;
  if (next < 0) {
    fault("deadlock: not all threads come to where others wait; " + who_waits());
    leave();
  }
  if (next != self) {
    start_or_resume(next);
  }
  running_ = self;
  threadIdx = threads_[static_cast<size_t>(self)].index;
}

// The main loop of a fiber: one fresh thread after another, as long as none waits.
void Scheduler::run_threads() {
  for (;;) {
    const int self = running_;
    Thread& thread = threads_[static_cast<size_t>(self)];
    thread.state = State::ready;
    ++counts.threads;
    tsan_acquire(&block_begins_);
    body_(context_);
    tsan_release(&thread_ends_);
    thread.state = State::done;
    --live_;
    Warp& warp = warps_[static_cast<size_t>(self) / lanes];
    warp.live &= ~(1U << static_cast<unsigned>(self) % lanes);
    if (arrived_ > 0) {
      fault(place(self) + " returned while others wait at __syncthreads; " + who_waits());
    } else if (warp.waiting != 0) {
      fault(place(self) + " returned while lanes of its warp wait; " + who_waits());
    }
    const int next = fault_.empty() ? next_thread() : -1;
    if (next >= 0 && threads_[static_cast<size_t>(next)].state == State::fresh && !tsan) {
      running_ = next;
      threads_[static_cast<size_t>(next)].fiber = running_fiber_;
      threadIdx = threads_[static_cast<size_t>(next)].index;
      continue;
    }
    finished_.push_back(running_fiber_);
    if (next < 0) {
      Fiber* const from = running_fiber_;
      running_fiber_ = &program_;
      from->switch_to(program_);
    } else {
      start_or_resume(next);
    }
    // A later block's thread begins here.
  }
}

void Scheduler::make_ready(std::vector<int>& threads) {
  if (order == Order::reverse) {
    std::reverse(threads.begin(), threads.end());
  } else if (order == Order::random) {
    shuffle_order(threads);
  }
  for (int thread : threads) {
    threads_[static_cast<size_t>(thread)].state = State::ready;
    ready_[(first_ready_ + ready_count_++) % most_threads] = thread;
  }
}

void Scheduler::release_barrier_when_complete() {
  if (arrived_ < live_) {
    return;
  }
  std::vector<int> waiting;
  for (size_t t = 0; t < threads_.size(); ++t) {
    Thread& thread = threads_[t];
    if (thread.state != State::at_barrier) {
      continue;
    }
    waiting.push_back(static_cast<int>(t));
    thread.votes = static_cast<unsigned>(predicates_);
    const Thread& first = threads_[static_cast<size_t>(waiting.front())];
    if (first.at.line != thread.at.line || std::strcmp(first.at.file, thread.at.file) != 0) {
      return fault("threads meet at different __syncthreads: " + place(waiting.front()) + " at line " +
                   std::to_string(first.at.line) + ", " + place(static_cast<int>(t)) + " at line " +
                   std::to_string(thread.at.line));
    }
  }
  if (waiting.size() != threads_.size()) {
    return fault("__syncthreads at line " + std::to_string(threads_[static_cast<size_t>(waiting.front())].at.line) +
                 " after some threads of the block returned");
  }
  ++counts.barriers;
  arrived_ = predicates_ = 0;
  make_ready(waiting);
}

int Scheduler::barrier(bool predicate, SourceLine at) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.state = State::at_barrier;
  self.at = at;
  char* const token = &barriers_[static_cast<size_t>(counts.barriers) % 2];
  tsan_release(token);
  ++arrived_;
  predicates_ += predicate ? 1 : 0;
  release_barrier_when_complete();
  wait();
  tsan_acquire(token);
  return static_cast<int>(self.votes);
}

// Completes the operation once every lane of `mask` waits for it.
void Scheduler::finish_warp_operation(unsigned warp, unsigned mask) {
  const auto thread_of = [&](unsigned lane) { return static_cast<int>(warp * lanes + lane); };
  if ((warps_[warp].waiting & mask) != mask) {
    return;
  }
  std::vector<int> group;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (mask >> lane & 1) {
      group.push_back(thread_of(lane));
    }
  }
  const Thread& first = threads_[static_cast<size_t>(group.front())];
  unsigned votes = 0;
  for (int member : group) {
    const Thread& thread = threads_[static_cast<size_t>(member)];
    if (thread.warp.mask != mask) {
      return;  // waits with others first
    }
    if (thread.warp.operation != first.warp.operation || thread.at.line != first.at.line) {
      return fault("lanes meet at different warp operations: " + place(group.front()) + " at line " +
                   std::to_string(first.at.line) + ", " + place(member) + " at line " + std::to_string(thread.at.line));
    }
    votes |= (thread.warp.predicate ? 1U : 0U) << (static_cast<unsigned>(member) % lanes);
  }
  for (int member : group) {
    Thread& thread = threads_[static_cast<size_t>(member)];
    thread.votes = votes;
    if (thread.warp.operation != WarpOperation::shuffle) {
      continue;
    }
    if (mask >> (thread.warp.source % lanes) & 1) {
      const Thread& source = threads_[static_cast<size_t>(thread_of(thread.warp.source % lanes))];
      copy_bytes(thread.warp.result, source.warp.value, thread.warp.bytes);
    } else {
      fill_bytes(thread.warp.result, poison, thread.warp.bytes);
    }
  }
  warps_[warp].waiting &= ~mask;
  ++counts.warp_operations;
  make_ready(group);
}

unsigned Scheduler::warp_operation(const WarpArgument& argument, SourceLine at) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  const auto warp = static_cast<unsigned>(running_) / lanes;
  self.state = State::at_warp_operation;
  self.at = at;
  self.warp = argument;
  if ((argument.mask >> lane() & 1) == 0) {
    fault("a warp operation's mask lacks the lane that calls it: " + who_waits());
  } else if ((argument.mask & ~warps_[warp].live) != 0) {
    fault("a warp operation's mask names lanes that returned or never were: " + who_waits());
  } else {
    warps_[warp].waiting |= 1U << lane();
    if (argument.operation == WarpOperation::synchronise) {
      tsan_release(&warp_arrivals_[static_cast<size_t>(running_)]);
    }
    finish_warp_operation(warp, argument.mask);
  }
  wait();
  for (unsigned other = 0; tsan && argument.operation == WarpOperation::synchronise && other < lanes; ++other) {
    if (argument.mask >> other & 1) {
      tsan_acquire(&warp_arrivals_[warp * lanes + other]);
    }
  }
  return self.votes;
}

void Scheduler::run_block(size_t shared_bytes) {
  for (Thread& thread : threads_) {
    thread.state = State::fresh;
  }
  for (size_t w = 0; w < warps_.size(); ++w) {
    const size_t count = std::min<size_t>(lanes, threads_.size() - w * lanes);
    warps_[w] = {static_cast<unsigned>((uint64_t{1} << count) - 1), 0};
  }
  live_ = static_cast<int>(threads_.size());
  arrived_ = predicates_ = 0;
  started_ = 0;
  first_ready_ = ready_count_ = 0;
  begin_block_memory(++block_number_, shared_bytes);
  tsan_release(&block_begins_);
  start_or_resume(next_thread());
  tsan_acquire(&thread_ends_);
  ++counts.blocks;
  idle_.insert(idle_.end(), finished_.rbegin(), finished_.rend());
  finished_.clear();
  fault(end_block_memory());
}

void Scheduler::run(const char* kernel, dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(void*),
                    void* context) {
  const size_t count = size_t{threads.x} * threads.y * threads.z;
  if (count == 0 || count > most_threads || threads.z > 64 || blocks.y > 65535 || blocks.z > 65535 ||
      shared_bytes > 48 << 10) {
    fail(kernel, ": cannot be launched as ", blocks.x, "x", blocks.y, "x", blocks.z, " blocks of ", threads.x, "x",
         threads.y, "x", threads.z, " threads with ", shared_bytes, " bytes of shared memory");
  }
  body_ = body;
  context_ = context;
  gridDim = blocks;
  blockDim = threads;
  random_ = seed;
  fault_.clear();
  finished_.reserve(most_threads);  // now: no CUDA thread may be the one that allocates for others
  threads_.assign(count, {});
  warps_.assign((count + lanes - 1) / lanes, {});
  start_order_.resize(count);
  std::iota(start_order_.begin(), start_order_.end(), 0);
  for (size_t t = 0; t < count; ++t) {
    threads_[t].index = {static_cast<unsigned>(t % threads.x), static_cast<unsigned>(t / threads.x % threads.y),
                         static_cast<unsigned>(t / threads.x / threads.y)};
  }
  std::vector<size_t> block_order(size_t{blocks.x} * blocks.y * blocks.z);
  std::iota(block_order.begin(), block_order.end(), size_t{0});
  if (order == Order::reverse) {
    std::reverse(start_order_.begin(), start_order_.end());
    std::reverse(block_order.begin(), block_order.end());
  } else if (order == Order::random) {
    shuffle_order(block_order);
  }
  while (tsan && fibers_.size() < count) {  // made here: what makes a fiber is ordered before it
    fibers_.push_back(std::make_unique<Fiber>([] { scheduler().run_threads(); }));
    idle_.push_back(fibers_.back().get());
  }
  ++counts.launches;
  for (size_t block : block_order) {
    if (!fault_.empty()) {
      break;
    }
    blockIdx = {static_cast<unsigned>(block % blocks.x), static_cast<unsigned>(block / blocks.x % blocks.y),
                static_cast<unsigned>(block / blocks.x / blocks.y)};
    if (order == Order::random) {
      shuffle_order(start_order_);
    }
    run_block(shared_bytes);
  }
  fault(take_device_fault());
  if (!fault_.empty()) {  // fibers may be suspended inside the kernel
    idle_.clear();
    fibers_.clear();
    fail(kernel, ": ", fault_);
  }
}

}  // namespace

int barrier(bool predicate, SourceLine at) { return scheduler().barrier(predicate, at); }

void synchronise_warp(unsigned mask, SourceLine at) {
  scheduler().warp_operation({.operation = WarpOperation::synchronise, .mask = mask}, at);
}

unsigned ballot(unsigned mask, bool predicate, SourceLine at) {
  return scheduler().warp_operation({.operation = WarpOperation::ballot, .mask = mask, .predicate = predicate}, at);
}

void shuffle(unsigned mask, const void* value, void* result, size_t bytes, unsigned source, SourceLine at) {
  scheduler().warp_operation({.operation = WarpOperation::shuffle,
                              .mask = mask,
                              .value = value,
                              .result = result,
                              .bytes = bytes,
                              .source = source},
                             at);
}

unsigned lane() { return scheduler().lane(); }

bool watches_races() { return tsan; }

void set_order(Order order, uint64_t seed) {
  scheduler().order = order;
  scheduler().seed = seed;
}

const Counts& counts() { return scheduler().counts; }

void run(const char* kernel, dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(void*), void* context) {
  scheduler().run(kernel, blocks, threads, shared_bytes, body, context);
}

}  // namespace fer::emulation
