// Kernels made ready for fixed shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace fer {

// `run` takes the kernel's views and, last, a workspace of at least `workspace_bytes` aligned to memory_alignment. It
// allocates nothing that grows with the shapes. It keeps state: one run at a time.
template <class Signature>
struct Prepared {
  std::function<Signature> run;
  int64_t workspace_bytes = 0;
  int64_t saved_flops = 0;  // of the operation's definition, that are not done

  // Where weights stay and a form of their own is worth its memory: what `keep` makes of them, once, is given to `run`
  // in their place.
  int64_t kept_bytes = 0;
  std::function<void(const float* weights, std::byte* kept)> keep{};
};

// While one lives, what is made ready for equal shapes shares its code.
class SharedPreparation {
 public:
  SharedPreparation();
  ~SharedPreparation();
  SharedPreparation(const SharedPreparation&) = delete;
  SharedPreparation& operator=(const SharedPreparation&) = delete;
};

}  // namespace fer
