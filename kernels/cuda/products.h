// Dense convolutions and matrix products by NVIDIA's libraries, cuDNN and cuBLASLt, made ready for fixed shapes. What
// they do not take is done by the plain loops of conv2d.h and linear.h.
#pragma once

#include <functional>
#include <string>

#include "kernels/conv2d.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/device.h"

namespace fer::cuda {

// (x, w[, b]) -> y; (w, dy) -> dx; (x, dy) -> dw.
enum class Pass { forward, backward_data, backward_weight };

// A pass of the convolution of x by w [O,kh,kw,I] into y; `bias`: of forward, b is added.
struct ConvolutionProduct {
  Pass pass = Pass::forward;
  Conv2dParams params;
  Shape x, w, y;
  bool bias = false;
  Precision precision = Precision::fp32;
};

// A pass of y [rows,out] = x [rows,in] w [out,in]^T.
struct MatrixProduct {
  Pass pass = Pass::forward;
  int64_t rows = 0, in = 0, out = 0;
  bool bias = false;
  Precision precision = Precision::fp32;
};

// `run` queues the product of a and b on the stream; it allocates nothing. All are float, or for Precision::bf16 all
// but the bias bfloat16. Empty where the library does not take it. `algorithm`: what it chose.
struct PreparedProduct {
  std::function<void(const void* a, const void* b, const void* bias, void* result, std::byte* workspace, Stream stream)>
      run;
  int64_t workspace_bytes = 0;
  std::string algorithm;
};

inline namespace FER_CUDA_BUILD {

PreparedProduct prepare_convolution(const ConvolutionProduct& product);
PreparedProduct prepare_matrix_product(const MatrixProduct& product);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
