// A GPU as the rest of the program knows it: memory, copies, kernels, recorded runs. The library fer_cuda implements it
// and is opened when somebody asks for it; the emulation of tests implements it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fer {

namespace cuda {
struct KernelTable;
}

// device: only kernels and copies reach it. shared: the host reads and writes it too, where it lies.
enum class Reach { device, shared };

// What each is given runs in order, beside what the other is given.
enum class Queue { first, second };

// A point in a queue.
class Event {
 public:
  virtual ~Event() = default;
  virtual void mark(Queue queue) = 0;                      // is reached when all that `queue` was given so far is done
  virtual void hold(Queue queue) = 0;                      // what `queue` is given from now on waits for it
  virtual double seconds_since(const Event& earlier) = 0;  // waits for both; recordings are not timed
};

// Kernels that were recorded, to run again on the same addresses.
class CapturedRun {
 public:
  virtual ~CapturedRun() = default;
  virtual void replay() = 0;
  virtual int64_t size() const = 0;  // how many kernels, copies and fills they are
};

// Copies, fills, recorded runs and synchronize() are the first queue's; what fails throws Error, sometimes only in a
// later call.
class Accelerator {
 public:
  virtual ~Accelerator() = default;

  virtual std::string name() const = 0;
  virtual int compute_capability() const = 0;            // 90 is 9.0
  virtual std::string pci_bus_id() const { return ""; }  // "00000000:17:00.0"; empty: it is on no bus
  virtual int64_t total_bytes() const = 0;
  virtual int64_t free_bytes() const = 0;

  // Memory aligned to 256 bytes, its contents undefined. See allocate_on, which gives it back by itself.
  virtual void* allocate(int64_t bytes, Reach reach) = 0;
  virtual void release(void* memory) noexcept = 0;

  virtual void copy_in(void* to, const void* from, int64_t bytes) = 0;   // `from` may change once this returns
  virtual void copy_out(void* to, const void* from, int64_t bytes) = 0;  // `to` is there once this returns
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;      // both allocated here, of either reach
  virtual void fill(void* to, std::byte value, int64_t bytes) = 0;
  virtual void synchronize() = 0;  // waits for all that is queued

  // What launchers of kernels() are given: the queue (kernels/cuda/stream.h).
  virtual void* stream(Queue queue) const = 0;
  virtual std::unique_ptr<Event> make_event() = 0;
  virtual const cuda::KernelTable& kernels() const = 0;

  // Records the kernels that `launches` queues instead of running them. The second queue's are recorded from when an
  // event of the first holds it; an event of its own holds the first at the end.
  virtual std::unique_ptr<CapturedRun> capture(const std::function<void()>& launches) = 0;
};

// Memory of `accelerator`, which it keeps alive; released with the last owner.
std::shared_ptr<std::byte> allocate_on(const std::shared_ptr<Accelerator>& accelerator, int64_t bytes, Reach reach);

// A tensor of zeros that the host and the accelerator's kernels share.
Tensor shared_tensor(const std::shared_ptr<Accelerator>& accelerator, DType dtype, Shape shape);

// A GPU, or the reason why there is none.
struct FoundAccelerator {
  std::shared_ptr<Accelerator> accelerator;
  std::string reason;
};

// The GPU that Device::cuda stands for. The first call opens libfer_cuda.so, beside the program or in ../lib.
const FoundAccelerator& find_accelerator();

// What find_accelerator() does with a file. The library must have been built from the same headers as its caller, of
// which `abi` is the digest.
FoundAccelerator open_accelerator(const std::filesystem::path& library, std::string_view abi = {});

// The GPU for Device::cuda, null for others; throws with the reason when it cannot be used.
std::shared_ptr<Accelerator> accelerator_for(Device device);

// For tests: Device::cuda stands for `instead` as long as this lives.
class ReplacedAccelerator {
 public:
  explicit ReplacedAccelerator(FoundAccelerator instead);
  ReplacedAccelerator(const ReplacedAccelerator&) = delete;
  ReplacedAccelerator& operator=(const ReplacedAccelerator&) = delete;
  ~ReplacedAccelerator();

 private:
  FoundAccelerator before_;
};

}  // namespace fer
