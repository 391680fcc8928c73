// The launchers as a table of pointers: all that a program knows of the CUDA library it has opened. Its type is the
// same whichever build fills it in, and needs none of CUDA's headers.
#pragma once

#include "kernels/cuda/activation.h"
#include "kernels/cuda/augment.h"
#include "kernels/cuda/batch_norm.h"
#include "kernels/cuda/channel_sum.h"
#include "kernels/cuda/concat.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/cross_entropy.h"
#include "kernels/cuda/depthwise.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/grid_sample.h"
#include "kernels/cuda/linear.h"
#include "kernels/cuda/optimizer.h"
#include "kernels/cuda/pixels.h"
#include "kernels/cuda/pool.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/random_uniform.h"
#include "kernels/cuda/resize.h"
#include "kernels/cuda/scale_channels.h"

namespace fer::cuda {

// clang-format off
// Launchers that are templates on the type of activations.
#define FER_TYPED_LAUNCHERS(X)                                                                                         \
  X(activation_forward) X(activation_backward) X(augment_forward) X(batch_norm_training) X(batch_norm_inference)       \
  X(batch_norm_again) X(batch_norm_training_backward) X(batch_norm_inference_backward) X(channel_sum) X(copy_channels) \
  X(conv2d_forward) X(conv2d_backward_data) X(conv2d_backward_weight) X(cross_entropy_forward)                         \
  X(cross_entropy_backward)                                                                                            \
  X(softmax_forward) X(count_correct_labels) X(depthwise_forward) X(depthwise_backward_data)                           \
  X(depthwise_backward_weight) X(dropout_forward) X(add_forward) X(multiply_forward) X(scale_forward) X(sign_forward)  \
  X(clamp_forward) X(clamp_backward) X(sign_step) X(ball_step) X(sum_forward) X(fill) X(broadcast)                     \
  X(affine_grid_sample_forward) X(affine_grid_sample_backward) X(linear_forward) X(linear_backward_data)               \
  X(linear_backward_weight) X(decode_pixels) X(replicate_channels_forward) X(replicate_channels_backward)              \
  X(expand_pixel_candidates) X(patch_windows) X(max_pool_forward) X(max_pool_backward) X(average_pool_forward)         \
  X(average_pool_backward) X(global_average_pool_forward) X(global_average_pool_backward) X(random_uniform_forward)    \
  X(resize_bilinear_forward) X(resize_bilinear_backward) X(scale_channels_forward) X(scale_channels_backward)

// The others, and sizes of workspaces.
#define FER_PLAIN_LAUNCHERS(X)                                                                                         \
  X(gather_rows) X(number_packs) X(copy_parameters) X(optimizer_update) X(optimizer_workspace_bytes) X(batch_norm_workspace_bytes)        \
  X(channel_sum_workspace) X(depthwise_weight_workspace) X(sum_workspace_bytes)
// clang-format on

template <class T>
struct Launchers {
#define FER_MEMBER(name) decltype(&cuda::name<T>) name;  // NOLINT(bugprone-macro-parentheses)
  FER_TYPED_LAUNCHERS(FER_MEMBER)
#undef FER_MEMBER
};

struct KernelTable {
  Launchers<float> f32_activations;
  Launchers<bf16> bf16_activations;
  decltype(&cuda::convert<float, bf16>) to_bf16;
  decltype(&cuda::convert<bf16, float>) to_f32;
  decltype(&cuda::fill<uint8_t>) fill_u8;
  decltype(&cuda::fill<int32_t>) fill_i32;
  decltype(&cuda::fill<int64_t>) fill_i64;
#define FER_MEMBER(name) decltype(&cuda::name) name;  // NOLINT(bugprone-macro-parentheses)
  FER_PLAIN_LAUNCHERS(FER_MEMBER)
#undef FER_MEMBER
  // Of NVIDIA's libraries; null where the build has none.
  PreparedProduct (*prepare_convolution)(const ConvolutionProduct& product);
  PreparedProduct (*prepare_matrix_product)(const MatrixProduct& product);
};

inline namespace FER_CUDA_BUILD {

// The launchers of this build.
const KernelTable& kernel_table();

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
