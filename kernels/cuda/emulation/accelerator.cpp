#include "kernels/cuda/emulation/accelerator.h"

#include <cstring>
#include <utility>
#include <vector>

#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/emulation/memory.h"
#include "kernels/cuda/kernel_table.h"

namespace fer::emulation {

namespace {

class RecordedLaunches : public CapturedRun {
 public:
  RecordedLaunches(std::vector<Launch> launches, int64_t& replays)
      : launches_(std::move(launches)), replays_(replays) {}

  void replay() override {
    ++replays_;
    for (const Launch& launch : launches_) {
      launch();
    }
  }
  int64_t size() const override { return static_cast<int64_t>(launches_.size()); }

 private:
  const std::vector<Launch> launches_;
  int64_t& replays_;
};

}  // namespace

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
  const auto found = allocated_.find(memory);
  used_bytes_ -= found->second;
  allocated_.erase(found);
  emulation::release(memory);
}

void EmulatedAccelerator::copy_in(void* to, const void* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void EmulatedAccelerator::copy_out(void* to, const void* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void EmulatedAccelerator::fill(void* to, std::byte value, int64_t bytes) {
  std::memset(to, static_cast<int>(value), static_cast<size_t>(bytes));
}

const cuda::KernelTable& EmulatedAccelerator::kernels() const { return cuda::kernel_table(); }

std::unique_ptr<CapturedRun> EmulatedAccelerator::capture(const std::function<void()>& launches) {
  return std::make_unique<RecordedLaunches>(record(launches), replays_);
}

}  // namespace fer::emulation
