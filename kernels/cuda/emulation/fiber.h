// Stacks that one thread of the processor switches between: each runs one CUDA thread of the emulation.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace fer::emulation {

class Fiber {
 public:
  // The stack that the program runs on already.
  Fiber() = default;
  // A new stack on which `body` begins at the first switch to it; it must not return.
  explicit Fiber(void (*body)());
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Suspends the running fiber, which must be *this, and goes on where `next` was suspended.
  void switch_to(Fiber& next);

 private:
  static void enter();

  void (*body_)() = nullptr;
  char* stack_ = nullptr;  // its lowest usable byte, above a page that must not be touched
  size_t stack_bytes_ = 0;
  void* suspended_ = nullptr;   // where to go on: a stack pointer, or a ucontext_t
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* tsan_fiber_ = nullptr;  // ThreadSanitizer's
};

}  // namespace fer::emulation
