#include "kernels/cuda/activation.h"
#include "kernels/cuda/map.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

template <Activation activation>
struct Apply {
  __device__ float operator()(float x) const { return activation_value<activation>(x); }
};

template <Activation activation>
struct ApplySlope {
  __device__ float operator()(float saved, float dy) const {
    return dy * activation_slope_from_saved<activation>(saved);
  }
};

}  // namespace

template <class T>
void activation_forward(Activation activation, View<const T> x, View<T> y, Stream stream, bool reference) {
  with_activation(activation, [&](auto a) { map("activation", stream, Apply<a.value>{}, y, reference, x.data); });
}

template <class T>
void activation_backward(Activation activation, View<const T> saved, View<const T> dy, View<T> dx, Stream stream,
                         bool reference) {
  with_activation(activation, [&](auto a) {
    map("activation_backward", stream, ApplySlope<a.value>{}, dx, reference, saved.data, dy.data);
  });
}

#define FER_INSTANTIATE(T)                                                            \
  template void activation_forward(Activation, View<const T>, View<T>, Stream, bool); \
  template void activation_backward(Activation, View<const T>, View<const T>, View<T>, Stream, bool);
FER_INSTANTIATE(float)
FER_INSTANTIATE(bf16)
#undef FER_INSTANTIATE

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
