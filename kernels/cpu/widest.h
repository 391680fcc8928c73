// Loops compiled twice: for the instruction set of the build, and for AVX-512, which is taken where the processor has
// it.
#pragma once

namespace fer {

// `body` is to be always_inline, and so is all that should be compiled for AVX-512 with it.
template <class Body>
__attribute__((target("avx512f,prefer-vector-width=512"))) void run_with_avx512(const Body& body) {
  body();
}

template <class Body>
void with_widest_registers(const Body& body) {
  static const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0;
  has_avx512 ? run_with_avx512(body) : body();
}

}  // namespace fer
