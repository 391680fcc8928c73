// Device::cuda for tests: the emulation, as long as this lives.
#pragma once

#include <memory>

#include "kernels/cuda/emulation/accelerator.h"

namespace fer::test {

struct EmulatedGpu {
  explicit EmulatedGpu(int64_t bytes = int64_t{1} << 30)
      : gpu(std::make_shared<emulation::EmulatedAccelerator>(bytes)) {}

  // Whether everything that was allocated was given back.
  bool is_empty() const { return gpu->free_bytes() == gpu->total_bytes(); }

  std::shared_ptr<emulation::EmulatedAccelerator> gpu;
  ReplacedAccelerator replaced{{gpu, ""}};
};

}  // namespace fer::test
