// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "tensor/host_device.h"

namespace fer {

// The i-th block of four 32-bit numbers is a pure function of (seed, stream, step, i): the same on every device, in
// any order, with any number of threads, and after a resume. `stream` is the operation drawing, `step` the training
// step.
class Philox {
 public:
  FER_HOST_DEVICE Philox(uint64_t seed, uint32_t stream, uint64_t step = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        high_{stream, static_cast<uint32_t>(step)},
        step_high_(static_cast<uint32_t>(step >> 32)) {}

  // Numbers 4i … 4i + 3 of the stream.
  FER_HOST_DEVICE std::array<uint32_t, 4> block(uint64_t i) const {
    // A step above 2^32 folds into the key, so that no two (step, i) pairs share a counter.
    std::array<uint32_t, 4> counter{static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), high_[0], high_[1]};
    std::array<uint32_t, 2> key{key_[0], key_[1] ^ step_high_};
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
      counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
                 static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
    return counter;
  }

  // Number i of the stream.
  FER_HOST_DEVICE uint32_t bits(uint64_t i) const { return block(i / 4)[i % 4]; }

  // Number i as a uniform in [0, 1) with 24 random bits.
  FER_HOST_DEVICE float uniform(uint64_t i) const { return to_uniform(bits(i)); }

  FER_HOST_DEVICE static float to_uniform(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

  // Standard normal i, by Box-Muller from numbers 2i and 2i + 1.
  float normal(uint64_t i) const {
    const auto numbers = block(i / 2);
    const size_t at = (i % 2) * 2;
    const double radius = std::sqrt(-2.0 * std::log((numbers[at] + 1.0) * 0x1p-32));
    return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * numbers[at + 1] * 0x1p-32));
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 2> high_;
  uint32_t step_high_;
};

// Draws numbers of one stream one after another, for code on the host that is sequential anyway.
class RandomSequence {
 public:
  explicit RandomSequence(Philox philox) : philox_(philox) {}

  float uniform() { return philox_.uniform(next_++); }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  float normal() {
    next_ += next_ % 2;
    next_ += 2;
    return philox_.normal((next_ - 2) / 2);
  }
  // Uniform in 0 … bound - 1 (bias below bound / 2^32).
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((uint64_t{philox_.bits(next_++)} * bound) >> 32); }

 private:
  Philox philox_;
  uint64_t next_ = 0;
};

}  // namespace fer
