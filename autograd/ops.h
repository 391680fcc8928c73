// Every operation of Ferrotype, as functions from values to values. Each records one node (see graph.h); its shape
// rule, gradient rule and cost are in ops/<name>.cpp, its kernels in kernels/<name>.h.
//
// Images are [N,H,W,C]. Convolution weights are [out,kh,kw,in], depthwise weights [kh,kw,C], linear weights [out,in].
// Floating-point inputs of one operation have one type: f32, or f64 in gradient checks.
#pragma once

#include <optional>
#include <span>

#include "autograd/graph.h"
#include "kernels/activation.h"
#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/conv2d.h"
#include "kernels/cross_entropy.h"
#include "kernels/optimizer.h"
#include "kernels/pool.h"

namespace fer {

// ---- constants and shapes (ops/constant.cpp, ops/reshape.cpp)

// A value whose every element is `value`.
Value constant(Graph& graph, ValueType type, double value);

// The same elements under another shape of equal size; costs nothing.
Value reshape(Value x, Shape shape);

// [N, everything else]; in NHWC this is Keras' order of features.
Value flatten(Value x);

// ---- elementwise (ops/activation.cpp, ops/elementwise.cpp)

Value activate(Activation activation, Value x);
Value relu(Value x);
Value relu6(Value x);
Value silu(Value x);
Value sigmoid(Value x);
Value tanh(Value x);

Value add(Value a, Value b);
Value multiply(Value a, Value b);
Value scale(Value x, double factor);
Value sign(Value x);  // -1, 0 or 1; NaN stays NaN. Its gradient is zero everywhere: none is recorded.
Value clamp(Value x, double low, double high);  // gradient 1 inside [low, high], 0 outside
Value sum(Value x);                             // of all elements, a scalar

// x + epsilon sign(g) inside [origin - radius, origin + radius] and then [0, 1]: a step of projected gradient descent.
// An attack's end, which training takes as given: no gradient goes through it.
Value ball_step(Value x, Value origin, Value g, double epsilon, double radius);

// ---- layers' arithmetic

// bias may be left out. ops/conv2d.cpp, ops/depthwise.cpp, ops/linear.cpp.
Value conv2d(Value x, Value weight, std::optional<Value> bias, const Conv2dParams& params);
Value depthwise_conv2d(Value x, Value weight, std::optional<Value> bias, const Conv2dParams& params);
Value linear(Value x, Value weight, std::optional<Value> bias);  // x [N,in], weight [out,in]

// x [...,C]. Training: statistics over all but the last dimension; running_mean and running_var are updated in place
// (new = (1 - momentum) old + momentum batch, unbiased variance). Inference: running statistics. ops/batch_norm.cpp.
Value batch_norm(Value x, Value gamma, Value beta, Value running_mean, Value running_var, const BatchNormParams& params,
                 bool training);

// ops/pool.cpp. Padding counts as minus infinity for the maximum, and is left out of averages' denominators never:
// average pooling has no padding.
Value max_pool(Value x, const PoolParams& params);
Value average_pool(Value x, const PoolParams& params);
Value global_average_pool(Value x);  // [N,H,W,C] -> [N,C]

// Over the last dimension. ops/concat.cpp.
Value concat(std::span<const Value> values);
Value slice_channels(Value x, int64_t begin, int64_t count);

// x [N,H,W,C] times s [N,C]: the gate of squeeze-excite. ops/scale_channels.cpp.
Value scale_channels(Value x, Value s);

// Zeroes elements with probability `rate` and scales the others by 1 / (1 - rate); rate 0 is x itself. The mask is
// drawn again, not stored, for the gradient. drop_samples zeroes whole samples (stochastic depth). ops/dropout.cpp.
Value dropout(Value x, double rate);
Value drop_samples(Value x, double rate);

// Uniform numbers in [low, high), drawn again in every step. ops/random_uniform.cpp.
Value random_uniform(Graph& graph, ValueType type, double low, double high);

// Rows of probabilities, for reading results. No gradient: losses take logits. ops/softmax.cpp.
Value softmax(Value logits);

// logits [N,K]; target i32 [N] labels, or float [N,K] probabilities (or acceptable classes, see the params);
// class_weight [K]. A scalar. ops/cross_entropy.cpp.
Value cross_entropy(Value logits, Value target, const CrossEntropyParams& params = {},
                    std::optional<Value> class_weight = {});

// How many rows of logits have their largest element at the label: i32 scalar. No gradient. ops/softmax.cpp.
Value count_correct(Value logits, Value labels);

// ---- geometry and pixels

// theta [N,2,3] maps output to input coordinates in [-1,1] (align_corners false); bilinear, zeros outside: what
// PyTorch's affine_grid followed by grid_sample gives. Output [N,height,width,C]. ops/grid_sample.cpp.
Value affine_grid_sample(Value x, Value theta, int64_t height, int64_t width);

// Bilinear with half-pixel centres, no antialiasing. ops/resize.cpp.
Value resize_bilinear(Value x, int64_t height, int64_t width);

// [N,H,W,1] -> [N,H,W,channels], all alike. ops/replicate.cpp.
Value replicate_channels(Value x, int64_t channels);

// u8 -> float: x / 255. f32 sets pass through. ops/decode.cpp.
Value decode(Value pixels, DType dtype = DType::f32);

// Rows of a table: table [M,...] any type, indices i32 [N] -> [N,...]. ops/gather.cpp.
Value gather(Value table, Value indices);

// Rotation, shift, zoom and flip of each image in one bilinear resampling, drawn per sample. ops/augment.cpp.
Value augment(Value x, const AugmentParams& params);

// One-pixel candidates: image [N,H,W,C], pixels i32 [N*M,2] (row, column), values [N*M,C] -> [N*M,H,W,C], candidate m
// of image n at row n*M + m is image n with that pixel replaced. No gradient. ops/pixel_candidates.cpp.
// With pixels [N*M,P,2] and values [N*M,P,C] each candidate replaces P pixels, later ones winning.
Value pixel_candidates(Value image, Value pixels, Value values);

// Pieces [N*M,height,width,C] of the images x [N,H,W,C] with `windows` [N*M,h,w,C] on them: window i lies on image
// i / M, its first pixel at (row, column) from[i]; piece i begins at to[i] of that image. Zeros outside it. `from` and
// `to` are i32 [N*M,2]. No gradient. ops/pixel_candidates.cpp.
Value patch_windows(Value x, Value windows, Value from, Value to, int64_t height, int64_t width);

// ---- the update (ops/optimizer.cpp)

// One launch over all parameters, which it updates in place together with the optimizer's moments (variables
// "optimizer.…" it makes). learning_rate is a float scalar (usually an input). Returns an empty value to plan for.
Value optimizer_step(const OptimizerParams& params, Value learning_rate, std::span<const Value> parameters,
                     std::span<const Value> gradients);

}  // namespace fer
