// Maximum, average and global average pooling on NHWC images.
#pragma once

#include "kernels/conv2d.h"
#include "tensor/view.h"

namespace fer {

struct PoolParams {
  int64_t kernel = 2;
  int64_t stride = 2;
  Padding padding = {};
};

}  // namespace fer
