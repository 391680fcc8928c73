// kernels/pixels.h on the GPU, for float and bf16. `reference`: one element a thread.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "tensor/view.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

template <class T>
void decode_pixels(View<const uint8_t> x, View<T> y, Stream stream, bool reference = false);

void gather_rows(AnyView table, View<const int32_t> indices, AnyView y, Stream stream, bool reference = false);

template <class T>
void replicate_channels_forward(View<const T> x, View<T> y, Stream stream);
template <class T>
void replicate_channels_backward(View<const T> dy, View<T> dx, Stream stream);

template <class T>
void expand_pixel_candidates(View<const T> x, View<const int32_t> pixels, View<const T> values, View<T> y,
                             Stream stream);

template <class T>
void patch_windows(View<const T> x, View<const T> windows, View<const int32_t> from, View<const int32_t> to, View<T> y,
                   Stream stream);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
