// Activations chosen at run time, for fused kernels: the branch is the same for all threads, and memory is what they
// wait for.
#pragma once

#include "kernels/activation.h"
#include "kernels/cuda/launch.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

__device__ __forceinline__ float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::relu:
      return activation_value<Activation::relu>(x);
    case Activation::relu6:
      return activation_value<Activation::relu6>(x);
    case Activation::silu:
      return activation_value<Activation::silu>(x);
    case Activation::sigmoid:
      return activation_value<Activation::sigmoid>(x);
    case Activation::tanh:
      return activation_value<Activation::tanh>(x);
    case Activation::identity:
      break;
  }
  return x;
}

__device__ __forceinline__ float slope_at(Activation activation, float x) {
  switch (activation) {
    case Activation::relu:
      return activation_slope<Activation::relu>(x);
    case Activation::relu6:
      return activation_slope<Activation::relu6>(x);
    case Activation::silu:
      return activation_slope<Activation::silu>(x);
    case Activation::sigmoid:
      return activation_slope<Activation::sigmoid>(x);
    case Activation::tanh:
      return activation_slope<Activation::tanh>(x);
    case Activation::identity:
      break;
  }
  return 1;
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
