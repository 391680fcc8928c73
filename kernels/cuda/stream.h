// The queue that launchers add their kernels to.
#pragma once

namespace fer::cuda {

// A cudaStream_t, opaque to code without CUDA headers; null is the default stream. In the emulation, which of its
// queues.
struct Stream {
  void* handle = nullptr;
};

}  // namespace fer::cuda
