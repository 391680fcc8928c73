#include "kernels/cuda/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdlib>

#include "kernels/cuda/emulation/sanitizer.h"
#include "tensor/error.h"

#ifndef __x86_64__
#include <ucontext.h>
#endif

#ifdef __x86_64__
// Saves the registers that a call preserves on the running stack and its pointer in *save; goes on with stack `load`.
// Twenty times faster than swapcontext, which asks the system about signals.
extern "C" void fer_switch_stack(void** save, void* load);
asm(R"(
.text
.globl fer_switch_stack
.type fer_switch_stack, @function
fer_switch_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size fer_switch_stack, . - fer_switch_stack
)");
#endif

namespace fer::emulation {

namespace {

constexpr size_t page = 4096;
constexpr size_t stack_bytes = 256 << 10;

// Set by every switch, for a fiber that begins.
Fiber* leaving = nullptr;
Fiber* entering = nullptr;

}  // namespace

Fiber::Fiber(void (*body)()) : body_(body), stack_bytes_(stack_bytes) {
  void* const memory = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) {
    fail("cuda emulation: no memory for a stack of ", stack_bytes, " bytes");
  }
  mprotect(memory, page, PROT_NONE);
  stack_ = static_cast<char*>(memory) + page;
#ifdef __x86_64__
  // What fer_switch_stack pops: six registers and the address to return to. Stacks begin at different offsets, or all
  // of them would fight for the same few cache lines.
  static unsigned colour = 0;
  void** top = reinterpret_cast<void**>(stack_ + stack_bytes - (colour++ % 32) * 320);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  suspended_ = top - 6;  // zeros
#else
  auto* const context = new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = stack_bytes;
  makecontext(context, &Fiber::enter, 0);
  suspended_ = context;
#endif
  tsan_fiber_ = tsan_create_fiber();
}

Fiber::~Fiber() {
  if (body_ == nullptr) {
    return;
  }
#ifndef __x86_64__
  delete static_cast<ucontext_t*>(suspended_);
#endif
  tsan_destroy_fiber(tsan_fiber_);
  asan_unpoison(stack_, stack_bytes_);
  munmap(stack_ - page, page + stack_bytes_);
}

void Fiber::switch_to(Fiber& next) {
  leaving = this;
  entering = &next;
  asan_start_switch(&fake_stack_, next.stack_, next.stack_bytes_);
  if (body_ == nullptr) {
    tsan_fiber_ = tsan_current_fiber();
  }
  tsan_switch(next.tsan_fiber_);
#ifdef __x86_64__
  fer_switch_stack(&suspended_, next.suspended_);
#else
  if (suspended_ == nullptr) {
    static ucontext_t program;
    suspended_ = &program;
  }
  swapcontext(static_cast<ucontext_t*>(suspended_), static_cast<ucontext_t*>(next.suspended_));
#endif
  asan_finish_switch(fake_stack_, nullptr, nullptr);
}

void Fiber::enter() {
  const void* stack = nullptr;
  size_t bytes = 0;
  asan_finish_switch(nullptr, &stack, &bytes);
  if (leaving->stack_ == nullptr) {  // the program's own stack, known from now on
    leaving->stack_ = static_cast<char*>(const_cast<void*>(stack));
    leaving->stack_bytes_ = bytes;
  }
  entering->body_();
  std::abort();
}

}  // namespace fer::emulation
