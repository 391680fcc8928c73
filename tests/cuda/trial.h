// Runs a CUDA kernel in the emulation and compares what it wrote with what the CPU's kernel gives in double.
#pragma once

#include <cuda_bf16.h>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/stream.h"
#include "tensor/tensor.h"

namespace fer::test {

// One array of a trial: what the CPU computes with (f64, or the integers themselves) and its place on the device.
template <class T>
struct Array {
  using Host = std::conditional_t<std::is_integral_v<T>, T, double>;
  View<Host> host;
  View<T> device;

  operator View<T>() const { return device; }
  operator View<const T>() const { return device; }
};

class Trial {
 public:
  explicit Trial(std::string name) : name_(std::move(name)) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();

  // Uniform numbers in [low, high] (integers low … high), rounded to T on both sides. Kernels must leave it alone.
  template <class T>
  Array<T> input(const Shape& shape, double low = -1, double high = 1);
  // The same for what kernels update: its host side, once the CPU's kernel has updated it too, is what is expected.
  template <class T>
  Array<T> updated(const Shape& shape, double low = -1, double high = 1);
  // Never written: poison on the device. The host side is to become what is expected.
  template <class T>
  Array<T> output(const Shape& shape);
  // The CPU's elements on the device.
  template <class T>
  Array<T> copy_of(const Shape& shape, const std::vector<T>& elements);
  // Memory whose contents nobody looks at, on the device and on the host.
  std::byte* workspace(int64_t bytes);
  std::byte* host_workspace(int64_t bytes);

  // Allowed difference relative to an array's largest element; 2e-5 for float and 2^-7 for bf16 unless said.
  void tolerance(double f32, double bf16);

  // Runs the launches in four orders of threads, with the arrays as they were made each time: results must be equal
  // bit for bit and as expected.
  void run(const std::function<void(cuda::Stream)>& launches);

 private:
  struct Record {
    Tensor host;
    std::byte* device = nullptr;
    int64_t bytes = 0;
    std::vector<std::byte> initial;  // on the device; empty: poison
    bool constant = false, ignored = false;
    DType dtype = DType::f32;
  };

  template <class T>
  Array<T> make(const Shape& shape, bool filled, double low, double high, bool constant);
  Record& allocate(int64_t bytes);
  void reset();
  void compare(const Record& record, size_t number) const;

  std::string name_;
  std::vector<Record> records_;
  std::vector<Tensor> scratch_;
  double f32_tolerance_ = 2e-5, bf16_tolerance_ = 0x1p-7;
};

// What the table holds: a kernel, or several of one operation, on some shapes.
struct KernelCase {
  std::string name;  // "depthwise/3x3_s1": the operation as tests/cases calls it, and what is special
  std::function<void(Trial&trial)> f32, bf16;
};

std::vector<KernelCase>& kernel_cases();

// Adds body(trial, float{}) and body(trial, cuda::bf16{}) at start-up.
template <class Body>
void add_kernel_case(std::string name, Body body) {
  kernel_cases().push_back({std::move(name), [body](Trial& trial) { body(trial, float{}); },
                            [body](Trial& trial) { body(trial, cuda::bf16{}); }});
}

}  // namespace fer::test
