// The emulation's device and shared memory: filled with NaN, between fences that tell of writes past either end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fer::emulation {

// What memory that was never written holds: all bits set, a NaN as float, double, half and bf16.
constexpr unsigned char poison = 0xff;

// Memory of one CUDA device, or of one block. Aligned to 256 bytes, as cudaMalloc aligns.
class FencedMemory {
 public:
  FencedMemory() = default;
  FencedMemory(std::string name, size_t bytes);
  FencedMemory(FencedMemory&& other) noexcept { *this = static_cast<FencedMemory&&>(other); }
  FencedMemory& operator=(FencedMemory&& other) noexcept;
  ~FencedMemory();

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  // What a kernel did to the fences; empty when nothing. The fences are whole again afterwards.
  std::string take_fault();

 private:
  void write_fences();

  std::string name_;
  unsigned char* data_ = nullptr;
  size_t bytes_ = 0;
};

// A kernel's static shared array: the first thread of a block to ask makes the block's memory.
class SharedArray {
 public:
  explicit constexpr SharedArray(const char* name) : name_(name) {}
  void* get(size_t bytes);

 private:
  const char* name_;
  uint64_t block_ = 0;  // whose memory data_ is
  void* data_ = nullptr;
};

// Device memory, which every kernel run afterwards checks the fences of.
void* allocate(size_t bytes);
void release(void* memory);

// For the scheduler: begins block number `block`'s shared memory, with dynamic_bytes that dynamic_shared() gives; ends
// it, returning what was wrong with it or with device memory.
void begin_block_memory(uint64_t block, size_t dynamic_bytes);
std::string end_block_memory();
std::string take_device_fault();
void* dynamic_shared();

}  // namespace fer::emulation
