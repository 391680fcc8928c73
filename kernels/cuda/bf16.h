// bfloat16 as an element type of views: its name alone, so that who calls launchers needs none of CUDA's headers. Who
// computes with it includes <cuda_bf16.h>.
#pragma once

#include "tensor/dtype.h"

struct __nv_bfloat16;  // NOLINT(bugprone-reserved-identifier): CUDA's name

namespace fer {

namespace cuda {
using bf16 = __nv_bfloat16;
}

template <>
constexpr DType dtype_of<cuda::bf16>() {
  return DType::bf16;
}

}  // namespace fer
