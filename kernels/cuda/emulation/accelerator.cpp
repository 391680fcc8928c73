#include "kernels/cuda/emulation/accelerator.h"

#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/emulation/memory.h"
#include "kernels/cuda/kernel_table.h"

namespace fer::emulation {

namespace {

class RecordedLaunches : public CapturedRun {
 public:
  RecordedLaunches(Recording recording, int64_t& replays) : recording_(std::move(recording)), replays_(replays) {}

  void replay() override {
    ++replays_;
    for (const Action& action : recording_.actions) {
      action();
    }
  }
  int64_t size() const override { return recording_.launches; }

 private:
  const Recording recording_;
  int64_t& replays_;
};

// The first queue is null, as that of launchers' tests.
const void* handle_of(Queue queue) {
  static const char second = 0;
  return queue == Queue::second ? &second : nullptr;
}

class EmulatedEvent : public Event {
 public:
  void mark(Queue queue) override {
    act([point = point_, queue = handle_of(queue)] { *point = {queue, given_to(queue), Clock::now()}; });
  }
  // Of two queues only one tarries: for the other there is nothing to wait for.
  void hold(Queue queue) override {
    act([point = point_, queue = handle_of(queue)] {
      if (point->queue != queue) {
        wait_for(point->queue, point->given);
      }
    });
  }
  double seconds_since(const Event& earlier) override {
    return std::chrono::duration<double>(point_->time - static_cast<const EmulatedEvent&>(earlier).point_->time)
        .count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Point {
    const void* queue = nullptr;
    int64_t given = 0;
    Clock::time_point time;
  };
  const std::shared_ptr<Point> point_ = std::make_shared<Point>();
};

}  // namespace

EmulatedAccelerator::~EmulatedAccelerator() { set_tarrying(std::nullopt); }

void EmulatedAccelerator::let_tarry(Queue queue) { set_tarrying(handle_of(queue)); }

void* EmulatedAccelerator::stream(Queue queue) const { return const_cast<void*>(handle_of(queue)); }

std::unique_ptr<Event> EmulatedAccelerator::make_event() { return std::make_unique<EmulatedEvent>(); }

void EmulatedAccelerator::synchronize() { wait_for(handle_of(Queue::first)); }

void* EmulatedAccelerator::allocate(int64_t bytes, Reach) {
  if (bytes > free_bytes()) {
    fail("the emulated GPU: cannot allocate ", bytes, " bytes, ", free_bytes(), " are free");
  }
  void* const memory = emulation::allocate(static_cast<size_t>(bytes));
  allocated_[memory] = bytes;
  used_bytes_ += bytes;
  return memory;
}

void EmulatedAccelerator::release(void* memory) noexcept {
  synchronize();
  const auto found = allocated_.find(memory);
  used_bytes_ -= found->second;
  allocated_.erase(found);
  emulation::release(memory);
}

void EmulatedAccelerator::copy_in(void* to, const void* from, int64_t bytes) {
  synchronize();
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void EmulatedAccelerator::copy_out(void* to, const void* from, int64_t bytes) {
  synchronize();
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void EmulatedAccelerator::fill(void* to, std::byte value, int64_t bytes) {
  synchronize();
  std::memset(to, static_cast<int>(value), static_cast<size_t>(bytes));
}

const cuda::KernelTable& EmulatedAccelerator::kernels() const { return cuda::kernel_table(); }

std::unique_ptr<CapturedRun> EmulatedAccelerator::capture(const std::function<void()>& launches) {
  return std::make_unique<RecordedLaunches>(record(launches), replays_);
}

}  // namespace fer::emulation
