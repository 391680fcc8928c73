#include "tensor/memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "tensor/accelerator.h"

namespace fer {

namespace {
constexpr int64_t huge_page_bytes = 2 << 20;
}

Block::Block(int64_t bytes) : bytes_(bytes) {
  if (bytes == 0) {
    return;
  }
  const bool huge = bytes >= 2 * huge_page_bytes;
  const int64_t mapped = round_up(bytes, 4096);
  void* data = mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    fail("memory: cannot map ", bytes, " bytes: ", std::strerror(errno));
  }
  if (huge) {
    madvise(data, static_cast<size_t>(mapped), MADV_HUGEPAGE);
  }
  data_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(data), Unmap{mapped});
}

void Unmap::operator()(std::byte* data) const { munmap(data, static_cast<size_t>(mapped_bytes)); }

void Arena::reserve(int64_t bytes) {
  if (bytes <= bytes_) {
    return;
  }
  memory_.reset();  // before the larger one is there
  bytes_ = 0;
  if (accelerator_) {
    memory_ = allocate_on(accelerator_, bytes, Reach::device);
  } else {
    const auto block = std::make_shared<Block>(bytes);
    memory_ = {block, block->data()};
  }
  bytes_ = bytes;
}

int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "VmHWM:") {
      int64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  }
  fail("memory: /proc/self/status has no VmHWM");
}

}  // namespace fer
