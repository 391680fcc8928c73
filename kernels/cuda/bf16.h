// bfloat16 as an element type of views.
#pragma once

#include <cuda_bf16.h>

#include "tensor/dtype.h"

namespace fer {

namespace cuda {
using bf16 = __nv_bfloat16;
}

template <>
constexpr DType dtype_of<cuda::bf16>() {
  return DType::bf16;
}

}  // namespace fer
