#include "kernels/cuda/kernel_table.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <class T>
constexpr Launchers<T> launchers() {
#define FER_MEMBER(name) &cuda::name<T>,
  return {FER_TYPED_LAUNCHERS(FER_MEMBER)};
#undef FER_MEMBER
}

}  // namespace

const KernelTable& kernel_table() {
#define FER_MEMBER(name) &cuda::name,
  static constexpr KernelTable table = {launchers<float>(),
                                        launchers<bf16>(),
                                        &cuda::convert<float, bf16>,
                                        &cuda::convert<bf16, float>,
                                        &cuda::fill<uint8_t>,
                                        &cuda::fill<int32_t>,
                                        &cuda::fill<int64_t>,
                                        FER_PLAIN_LAUNCHERS(FER_MEMBER)
#ifdef FER_CUDA_LIBRARIES
                                            & cuda::prepare_convolution,
                                        &cuda::prepare_matrix_product
#else
                                            nullptr,
                                        nullptr
#endif
  };
#undef FER_MEMBER
  return table;
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
