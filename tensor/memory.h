// Owned memory: aligned blocks on the host, and the arena that executors share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace fer {

class Accelerator;

// Every value in memory begins at a multiple of this many bytes (a cache line; a full AVX-512 register).
constexpr int64_t memory_alignment = 64;

inline int64_t round_up(int64_t bytes, int64_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

// Of so many T, up to where the next value may begin.
template <class T>
int64_t aligned_bytes(int64_t count) {
  return round_up(count * int64_t{sizeof(T)}, memory_alignment);
}

// Returns mapped pages to the system.
struct Unmap {
  int64_t mapped_bytes = 0;
  void operator()(std::byte* data) const;
};

// An aligned block of host memory. Its pages are mapped when first touched (zero until then); large blocks ask for
// huge pages, since the first touch of 4 KiB pages costs as much as a pass over the data.
class Block {
 public:
  Block() = default;
  explicit Block(int64_t bytes);

  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte, Unmap> data_;
  int64_t bytes_ = 0;
};

// Scratch memory for one executor at a time; several executors that never run at once share one arena, so that the
// process pays for the largest plan only. What an executor leaves in it is gone once another has run.
class Arena {
 public:
  // In the memory of `accelerator`, or of the host when it is null.
  explicit Arena(std::shared_ptr<Accelerator> accelerator = nullptr) : accelerator_(std::move(accelerator)) {}

  // Grows to at least `bytes`; contents are lost when it grows.
  void reserve(int64_t bytes);

  std::byte* data() const { return memory_.get(); }
  int64_t bytes() const { return bytes_; }
  const std::shared_ptr<Accelerator>& accelerator() const { return accelerator_; }

 private:
  std::shared_ptr<Accelerator> accelerator_;
  std::shared_ptr<std::byte> memory_;
  int64_t bytes_ = 0;
};

// The most bytes this process has had resident since it began (VmHWM), as the system accounts for it.
int64_t peak_resident_bytes();

}  // namespace fer
