// The queue that launchers add their kernels to.
#pragma once

namespace fer::cuda {

// A cudaStream_t, opaque to code without CUDA headers; null is the default stream. The emulation runs every kernel at
// once, whatever the stream.
struct Stream {
  void* handle = nullptr;
};

}  // namespace fer::cuda
