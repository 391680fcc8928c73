#include "kernels/cuda/emulation/memory.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "kernels/cuda/emulation/sanitizer.h"
#include "tensor/error.h"
#include "tensor/memory.h"

namespace fer::emulation {

namespace {

constexpr size_t alignment = 256;
constexpr size_t fence = 256;
constexpr unsigned char fence_byte = 0xfd;
constexpr size_t static_limit = 48 << 10;  // of shared memory in one block

size_t padded(size_t bytes) {
  return static_cast<size_t>(round_up(static_cast<int64_t>(bytes), static_cast<int64_t>(alignment)));
}

std::map<void*, FencedMemory>& device_memory() {
  static std::map<void*, FencedMemory> memory;
  return memory;
}

struct BlockMemory {
  uint64_t block = 0;
  FencedMemory dynamic;
  std::vector<FencedMemory> arrays;
  size_t array_bytes = 0;
};

BlockMemory& block_memory() {
  static BlockMemory memory;
  return memory;
}

}  // namespace

FencedMemory::FencedMemory(std::string name, size_t bytes) : name_(std::move(name)), bytes_(bytes) {
  auto* const memory = static_cast<unsigned char*>(std::aligned_alloc(alignment, fence + padded(bytes) + fence));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  data_ = memory + fence;
  fill_bytes(data_, poison, bytes);
  write_fences();
}

FencedMemory& FencedMemory::operator=(FencedMemory&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

FencedMemory::~FencedMemory() {
  if (data_ != nullptr) {
    asan_unpoison(data_ - fence, fence + padded(bytes_) + fence);
    std::free(data_ - fence);
  }
}

void FencedMemory::write_fences() {
  fill_bytes(data_ - fence, fence_byte, fence);
  fill_bytes(data_ + bytes_, fence_byte, padded(bytes_) - bytes_ + fence);
  asan_poison(data_ - fence, fence);
  asan_poison(data_ + bytes_, padded(bytes_) - bytes_ + fence);
}

std::string FencedMemory::take_fault() {
  if (asan || data_ == nullptr) {
    return "";  // reported at the access
  }
  static const std::vector<unsigned char> whole(fence, fence_byte);
  const bool before = std::memcmp(data_ - fence, whole.data(), fence) != 0;
  const bool after = std::memcmp(data_ + bytes_, whole.data(), fence) != 0;
  if (!before && !after) {
    return "";
  }
  write_fences();
  return std::string("wrote ") + (before ? "before the beginning" : "past the end") + " of " + name_ + " of " +
         std::to_string(bytes_) + " bytes";
}

void* SharedArray::get(size_t bytes) {
  BlockMemory& memory = block_memory();
  if (block_ != memory.block) {
    memory.array_bytes += bytes;
    if (memory.array_bytes > static_limit) {
      fail("cuda emulation: ", memory.array_bytes, " bytes of static shared memory with ", name_, "; a block has ",
           static_limit);
    }
    tsan_ignore_writes(true);  // allocating is one; whichever thread comes first does it for all
    memory.arrays.emplace_back(std::string("shared array ") + name_, bytes);
    tsan_ignore_writes(false);
    data_ = memory.arrays.back().data();
    block_ = memory.block;
  }
  return data_;
}

void* allocate(size_t bytes) {
  FencedMemory memory("device memory", bytes);
  void* const data = memory.data();
  device_memory().emplace(data, std::move(memory));
  return data;
}

void release(void* memory) { device_memory().erase(memory); }

void begin_block_memory(uint64_t block, size_t dynamic_bytes) {
  BlockMemory& memory = block_memory();
  memory.block = block;
  memory.arrays.clear();
  memory.array_bytes = 0;
  memory.dynamic = dynamic_bytes == 0 ? FencedMemory() : FencedMemory("dynamic shared memory", dynamic_bytes);
}

std::string end_block_memory() {
  BlockMemory& memory = block_memory();
  std::string fault = memory.dynamic.take_fault();
  for (FencedMemory& array : memory.arrays) {
    fault = fault.empty() ? array.take_fault() : fault;
  }
  memory.arrays.clear();
  memory.dynamic = {};
  return fault;
}

std::string take_device_fault() {
  std::string fault;
  for (auto& [data, memory] : device_memory()) {
    const std::string one = memory.take_fault();
    fault = fault.empty() ? one : fault;
  }
  return fault;
}

void* dynamic_shared() { return block_memory().dynamic.data(); }

}  // namespace fer::emulation
