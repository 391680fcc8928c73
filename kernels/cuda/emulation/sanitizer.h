// What the sanitizers must be told about fibers and fences; nothing in other builds.
#pragma once

#include <cstddef>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef FER_TSAN  // this file's users are themselves compiled without -fsanitize=thread
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace fer::emulation {

#ifdef __SANITIZE_ADDRESS__
constexpr bool asan = true;
inline void asan_start_switch(void** save, const void* stack, size_t bytes) {
  __sanitizer_start_switch_fiber(save, stack, bytes);
}
inline void asan_finish_switch(void* saved, const void** stack, size_t* bytes) {
  __sanitizer_finish_switch_fiber(saved, stack, bytes);
}
inline void asan_poison(const void* begin, size_t bytes) { __asan_poison_memory_region(begin, bytes); }
inline void asan_unpoison(const void* begin, size_t bytes) { __asan_unpoison_memory_region(begin, bytes); }
#else
constexpr bool asan = false;
inline void asan_start_switch(void**, const void*, size_t) {}
inline void asan_finish_switch(void*, const void**, size_t*) {}
inline void asan_poison(const void*, size_t) {}
inline void asan_unpoison(const void*, size_t) {}
#endif

// ThreadSanitizer sees every CUDA thread of a block as a thread. Switches order nothing (flag 1); what does order,
// barriers and the beginning and end of a block, is said by release and acquire.
#ifdef FER_TSAN
constexpr bool tsan = true;
inline void* tsan_current_fiber() { return __tsan_get_current_fiber(); }
inline void* tsan_create_fiber() { return __tsan_create_fiber(0); }
inline void tsan_destroy_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
inline void tsan_switch(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
inline void tsan_acquire(void* address) { __tsan_acquire(address); }
inline void tsan_release(void* address) { __tsan_release(address); }
inline void tsan_ignore_writes(bool ignore) {
  ignore ? AnnotateIgnoreWritesBegin(__FILE__, __LINE__) : AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}
#else
constexpr bool tsan = false;
inline void* tsan_current_fiber() { return nullptr; }
inline void* tsan_create_fiber() { return nullptr; }
inline void tsan_destroy_fiber(void*) {}
inline void tsan_switch(void*) {}
inline void tsan_acquire(void*) {}
inline void tsan_release(void*) {}
inline void tsan_ignore_writes(bool) {}
#endif

// The emulation's own accesses: ThreadSanitizer sees memset and memcpy wherever they are called from.
inline void fill_bytes(void* to, unsigned char value, size_t bytes) {
  if constexpr (!tsan) {
    std::memset(to, value, bytes);
  } else {
    for (size_t i = 0; i < bytes; ++i) {
      static_cast<volatile unsigned char*>(to)[i] = value;
    }
  }
}

inline void copy_bytes(void* to, const void* from, size_t bytes) {
  if constexpr (!tsan) {
    std::memcpy(to, from, bytes);
  } else {
    for (size_t i = 0; i < bytes; ++i) {
      static_cast<volatile unsigned char*>(to)[i] = static_cast<const volatile unsigned char*>(from)[i];
    }
  }
}

}  // namespace fer::emulation
