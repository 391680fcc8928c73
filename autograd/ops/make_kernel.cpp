#include "autograd/ops/make_kernel.h"

namespace fer {

void check_launchable(const Operation& operation, DType dtype) {
  if (dtype != DType::f32) {
    fail(operation.name(), ": computes in f32 on device cuda, not ", dtype, "; use device cpu");
  }
}

Kernel product_kernel(cuda::PreparedProduct product, const PrepareOptions& options) {
  const DType activations = options.precision == Precision::bf16 ? DType::bf16 : DType::f32;
  Kernel kernel;
  kernel.run = [run = std::move(product.run), stream = options.stream](const StepContext*, std::span<const AnyView> in,
                                                                       std::span<const AnyView> out,
                                                                       std::byte* workspace) {
    run(in[0].data, in[1].data, in.size() > 2 ? in[2].data : nullptr, out[0].data, workspace, stream);
  };
  kernel.workspace_bytes = product.workspace_bytes;
  kernel.device = Device::cuda;
  kernel.algorithm = product.algorithm;
  kernel.reads = {activations, activations, DType::f32};
  kernel.writes = {activations};
  return kernel;
}

}  // namespace fer
