// Registers of neighbouring channels, for kernels that must keep several of them across a loop.
#pragma once

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
// pixels at a time, a pattern that hardware prefetchers miss.
template <class T>
inline void prefetch(const T* from, int64_t count) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < count; i += line) {
    __builtin_prefetch(from + i, 0, 2);
  }
}

// The same for elements that will be written, perhaps after another core has read them.
template <class T>
inline void prefetch_for_write(const T* to, int64_t count) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t i = 0; i < count; i += line) {
    __builtin_prefetch(to + i, 1, 2);
  }
}

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
