// Registers of neighbouring channels, for kernels that must keep several of them across a loop.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace fer {

// A register of 32 bytes of T. Arithmetic on `Vector` is elementwise.
template <class T>
struct Wide {
  typedef T Vector __attribute__((vector_size(32)));
  using Scalar = T;
  static constexpr int width = 32 / sizeof(T);

  static inline Vector load(const T* from) {
    Vector result;
    std::memcpy(&result, from, sizeof result);
    return result;
  }
  static inline void store(T* to, const Vector& value) { std::memcpy(to, &value, sizeof value); }
};

// One element, for the channels left over.
template <class T>
struct Single {
  using Vector = T;
  using Scalar = T;
  static constexpr int width = 1;

  static inline T load(const T* from) { return *from; }
  static inline void store(T* to, T value) { *to = value; }
};

// Asks for `count` elements from `from` on to be brought into the second-level cache. Windows slide along rows many
// pixels at a time, a pattern that hardware prefetchers miss. `stored_to`: for this core alone.
template <bool stored_to = false, class T>
inline void prefetch(const T* from, int64_t count) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < count; i += line) {
    __builtin_prefetch(from + i, stored_to ? 1 : 0, 2);
  }
}

// Copies to memory past the caches. A core that stores to a line which two cores have read waits for the other one's to
// be given up, line by line: a fifth of the memory's speed, or less where the cores are far apart. Whoever hands the
// memory to another thread calls finish_streaming() first.
template <class T>
inline void stream(const T* from, int64_t count, T* to) {
  while (count > 0 && reinterpret_cast<uintptr_t>(to) % sizeof(__m256i) != 0) {
    *to++ = *from++;
    --count;
  }
  constexpr int64_t width = sizeof(__m256i) / sizeof(T);
  for (; count >= width; count -= width, from += width, to += width) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

inline void finish_streaming() { _mm_sfence(); }

// Results of so many bytes are in no cache by the time they are read: they go past the caches, which then need not
// fetch what lay there.
constexpr int64_t least_streamed_bytes = int64_t{16} << 20;

// Calls body.template operator()<Lanes, count>(channel) for consecutive blocks of `count` registers that cover all
// channels: blocks of `most` wide registers, then single wide ones, then elements.
template <class T, int most, class Body>
inline void for_channel_blocks(int64_t channels, Body&& body) {
  constexpr int width = Wide<T>::width;
  int64_t channel = 0;
  for (; channel + most * width <= channels; channel += most * width) {
    body.template operator()<Wide<T>, most>(channel);
  }
  for (; channel + width <= channels; channel += width) {
    body.template operator()<Wide<T>, 1>(channel);
  }
  for (; channel < channels; ++channel) {
    body.template operator()<Single<T>, 1>(channel);
  }
}

}  // namespace fer
