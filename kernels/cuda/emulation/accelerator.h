// The emulation as a GPU that executors run on: device memory is the emulator's, between fences, and a recorded run is
// its launches with the arguments that they had.
#pragma once

#include <map>

#include "tensor/accelerator.h"

namespace fer::emulation {

class EmulatedAccelerator : public Accelerator {
 public:
  explicit EmulatedAccelerator(int64_t total_bytes = int64_t{1} << 30) : total_bytes_(total_bytes) {}
  EmulatedAccelerator(const EmulatedAccelerator&) = delete;
  EmulatedAccelerator& operator=(const EmulatedAccelerator&) = delete;
  ~EmulatedAccelerator() override;

  std::string name() const override { return "the emulated GPU"; }
  int compute_capability() const override { return 80; }
  int64_t total_bytes() const override { return total_bytes_; }
  int64_t free_bytes() const override { return total_bytes_ - used_bytes_; }

  void* allocate(int64_t bytes, Reach reach) override;
  void release(void* memory) noexcept override;
  void copy_in(void* to, const void* from, int64_t bytes) override;
  void copy_out(void* to, const void* from, int64_t bytes) override;
  void copy(void* to, const void* from, int64_t bytes) override { copy_out(to, from, bytes); }
  void fill(void* to, std::byte value, int64_t bytes) override;
  void synchronize() override;

  void* stream(Queue queue) const override;
  std::unique_ptr<Event> make_event() override;
  const cuda::KernelTable& kernels() const override;
  std::unique_ptr<CapturedRun> capture(const std::function<void()>& launches) override;

  // From now on the launches of one queue run as late as those who wait for them allow, the other's at once.
  void let_tarry(Queue queue);

  // How often recorded runs were replayed.
  int64_t replays() const { return replays_; }

 private:
  int64_t total_bytes_, used_bytes_ = 0, replays_ = 0;
  std::map<void*, int64_t> allocated_;
};

}  // namespace fer::emulation
