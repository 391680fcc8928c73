#include "autograd/ops/make_kernel.h"

namespace fer {

const cuda::Launchers<float>* launchers_for(const Operation& operation, DType dtype, const PrepareOptions& options) {
  if (options.cuda == nullptr) {
    return nullptr;
  }
  if (dtype != DType::f32) {
    fail(operation.name(), ": computes in f32 on device cuda, not ", dtype, "; use device cpu");
  }
  return &options.cuda->f32;
}

}  // namespace fer
