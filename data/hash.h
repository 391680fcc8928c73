// A fast hash of bytes: for finding equal images and naming data, not for security.
#pragma once

#include <cstdint>
#include <cstring>

namespace fer {

// Mixes eight bytes at a time; the finishing steps are those of MurmurHash3, so that every input bit reaches every
// output bit. The same bytes in other pieces give another hash.
class Hasher {
 public:
  void add(const void* data, size_t bytes) {
    const auto* next = static_cast<const unsigned char*>(data);
    for (; bytes >= sizeof(uint64_t); bytes -= sizeof(uint64_t), next += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, next, sizeof(word));
      mix(word);
    }
    uint64_t rest = bytes;
    for (size_t i = 0; i < bytes; ++i) {
      rest = rest << 8 | next[i];
    }
    mix(rest);
  }

  uint64_t value() const { return finish(state_); }

 private:
  static uint64_t finish(uint64_t x) {
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD;
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53;
    return x ^ (x >> 33);
  }

  void mix(uint64_t word) {
    state_ ^= finish(word + 0x9E3779B97F4A7C15);
    state_ = (state_ << 27 | state_ >> 37) * 5 + 0x52DCE729;
  }

  uint64_t state_ = 0x243F6A8885A308D3;
};

}  // namespace fer
