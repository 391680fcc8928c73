// What the kernels that run on oneDNN share. Only kernels/cpu includes this.
#pragma once

#include <dnnl.hpp>
#include <initializer_list>
#include <utility>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cpu/own_workspace.h"
#include "tensor/memory.h"
#include "tensor/shape.h"

namespace fer::onednn {

// The processor. Primitives run on the calling thread's OpenMP team, hence on thread_count() threads.
const dnnl::engine& cpu();

// Scratchpads belong to the caller, so that workspace counts them and nothing is allocated in a run.
dnnl::primitive_attr caller_scratchpad(const Conv2dEpilogue& epilogue = {});

// f32 images [N,H,W,C], and dense convolution weights [O,kh,kw,I] as they lie in memory.
dnnl::memory::desc images(const Shape& shape);
dnnl::memory::desc weights(const Shape& shape);
// The same weights in whichever order the primitive prefers.
dnnl::memory::desc weights_in_any_order(const Shape& shape);
// A row-major f32 matrix of `rows` x `columns`; `transposed`: its transpose is what lies in memory.
dnnl::memory::desc matrix(int64_t rows, int64_t columns, bool transposed);
dnnl::memory::desc vector(int64_t extent);

// A primitive with its arguments, which are pointed at memory when it runs.
class Call {
 public:
  Call() = default;
  // `arguments`: DNNL_ARG_… and layout of each.
  Call(const dnnl::primitive& primitive, const std::vector<std::pair<int, dnnl::memory::desc>>& arguments);

  // Executes with argument i at data[i].
  void run(std::initializer_list<const void*> data);

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

// Copies from one layout to another; empty() when they are the same.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);

  bool empty() const { return empty_; }
  int64_t scratchpad_bytes() const { return scratchpad_bytes_; }
  void run(const void* from, void* to, void* scratchpad) { call_.run({from, to, scratchpad}); }

 private:
  Call call_;
  bool empty_ = true;
  int64_t scratchpad_bytes_ = 0;
};

// c = a b (+ bias on every row), overwriting c unless the epilogue adds: a [m,k], b [k,n]; a transposed operand lies in
// memory as [k,m], [n,k].
struct MatrixShape {
  int64_t m = 0, k = 0, n = 0;
  bool a_transposed = false, b_transposed = false, bias = false;
  Conv2dEpilogue epilogue = {};
  bool b_kept = false;  // b is given in the order that keep() brings it into; on one thread
};
// Threads share out the rows of long matrices, the same ones that they have in the other operations on images: what a
// thread reads is then mostly what it wrote, and no other thread reads it. Of a product of two long matrices (a
// transposed) each thread sums its own rows' share.
class MatrixProduct {
 public:
  explicit MatrixProduct(const MatrixShape& shape);

  int64_t workspace_bytes() const {
    return static_cast<int64_t>(calls_.size() - 1) * own_bytes() + scratchpad_bytes_ + sum_bytes_;
  }
  // Where b is kept: its bytes in the order that the product reads, and what brings it there.
  int64_t kept_bytes() const { return kept_bytes_; }
  void keep(const float* b, std::byte* kept);

  // `bias` is ignored unless the shape has one.
  void run(const float* a, const float* b, const float* bias, float* c, void* workspace);

 private:
  int64_t own_bytes() const { return std::max(least_own_bytes, scratchpad_bytes_ + sum_bytes_); }
  int64_t rows() const { return shape_.a_transposed ? shape_.k : shape_.m; }
  int64_t first_row(size_t part) const {
    return rows() * static_cast<int64_t>(part) / static_cast<int64_t>(calls_.size());
  }

  MatrixShape shape_;
  std::vector<Call> calls_;                       // one of each part of the rows
  int64_t scratchpad_bytes_ = 0, sum_bytes_ = 0;  // of each; the first one's sums are c
  Reorder reorder_;                               // of b that is kept
  int64_t kept_bytes_ = 0;
};

// Bytes of a layout, rounded up so that what follows it in workspace is aligned.
inline int64_t aligned_bytes(const dnnl::memory::desc& description) {
  return round_up(static_cast<int64_t>(description.get_size()), memory_alignment);
}

}  // namespace fer::onednn
