#include <memory>

#include "kernels/conv2d.h"
#include "kernels/cpu/conv2d_products.h"
#include "kernels/cpu/conv2d_tiles.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/onednn.h"
#include "tensor/error.h"

namespace fer {

namespace {

using dnnl::memory;
using onednn::Call;
using onednn::Reorder;

// What oneDNN's convolution descriptors want to know besides layouts.
struct Geometry {
  explicit Geometry(const Conv2dParams& params)
      : strides{params.stride, params.stride},
        before{params.padding.top, params.padding.left},
        after{params.padding.bottom, params.padding.right} {}
  memory::dims strides, before, after;
};

constexpr auto direct = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc describe_forward(const Geometry& g, const memory::desc& x,
                                                           const memory::desc& w, const memory::desc& b,
                                                           const memory::desc& y, const Conv2dEpilogue& epilogue = {}) {
  using Convolution = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_training;
  const auto description = b.is_zero() ? Convolution::desc(kind, direct, x, w, y, g.strides, g.before, g.after)
                                       : Convolution::desc(kind, direct, x, w, b, y, g.strides, g.before, g.after);
  return {description, onednn::caller_scratchpad(epilogue), onednn::cpu()};
}

// Runs `make`, telling in our words what oneDNN refused.
template <class Make>
auto prepared(std::string_view who, const Shape& x, const Shape& w, Make&& make) {
  try {
    return make();
  } catch (const dnnl::error& error) {
    fail(who, ": oneDNN has no kernel for images ", x, " and weights ", w, ": ", error.message);
  }
}

// A convolution and the weights in its own order: workspace holds those weights, then the scratchpad of whichever of
// the two primitives runs.
struct Convolution {
  Call call;
  Reorder reorder;
  int64_t weight_bytes = 0;
  int64_t workspace_bytes = 0;

  template <class Description>
  void reserve(const Description& description, const memory::desc& weights) {
    weight_bytes = reorder.empty() ? 0 : onednn::aligned_bytes(weights);
    workspace_bytes =
        weight_bytes + std::max(onednn::aligned_bytes(description.scratchpad_desc()), reorder.scratchpad_bytes());
  }

  // Our weights in the order the convolution reads them.
  const void* ordered(const float* weights, std::byte* workspace) {
    if (reorder.empty()) {
      return weights;
    }
    reorder.run(weights, workspace, workspace + weight_bytes);
    return workspace;
  }
};

}  // namespace

PreparedConv2dForward prepare_conv2d_forward(const Conv2dParams& params, const Shape& x, const Shape& w, const Shape& y,
                                             bool bias, const Conv2dEpilogue& epilogue, bool weights_stay) {
  return prepared("conv2d", x, w, [&]() -> PreparedConv2dForward {
    if (is_winograd(params, w, y)) {
      return prepare_winograd_forward(params, x, w, y, epilogue, weights_stay);
    }
    if (is_tiled(w)) {
      return prepare_tiled_forward(params, x, w, y, epilogue, weights_stay);
    }
    if (is_pointwise_product(params, w)) {
      return prepare_pointwise_forward(params, x, w, y, bias, epilogue, weights_stay);
    }
    const memory::desc b = bias ? onednn::vector(w[0]) : memory::desc();
    const auto description = describe_forward(Geometry(params), onednn::images(x), onednn::weights_in_any_order(w), b,
                                              onednn::images(y), epilogue);
    auto state = std::make_shared<Convolution>();
    state->reorder = Reorder(onednn::weights(w), description.weights_desc());
    state->reserve(description, description.weights_desc());
    std::vector<std::pair<int, memory::desc>> arguments{{DNNL_ARG_SRC, description.src_desc()},
                                                        {DNNL_ARG_WEIGHTS, description.weights_desc()},
                                                        {DNNL_ARG_DST, description.dst_desc()},
                                                        {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}};
    if (bias) {
      arguments.push_back({DNNL_ARG_BIAS, b});
    }
    state->call = Call(dnnl::convolution_forward(description), arguments);
    return {[state, bias](View<const float> x, View<const float> w, View<const float> b, View<float> y,
                          std::byte* workspace) {
              const void* const weights = state->ordered(w.data, workspace);
              std::byte* const scratchpad = workspace + state->weight_bytes;
              if (bias) {
                state->call.run({x.data, weights, y.data, scratchpad, b.data});
              } else {
                state->call.run({x.data, weights, y.data, scratchpad});
              }
            },
            state->workspace_bytes};
  });
}

PreparedConv2dBackwardData prepare_conv2d_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                        const Shape& dx) {
  return prepared("conv2d_backward_data", dx, w, [&]() -> PreparedConv2dBackwardData {
    if (is_pointwise_product(params, w)) {
      return prepare_pointwise_backward_data(params, w, dy, dx);
    }
    if (is_winograd(params, w, dy)) {
      return prepare_winograd_backward_data(params, w, dy, dx);
    }
    if (has_few_channels(w)) {
      return prepare_few_channels_backward_data(params, w, dy);
    }
    const Geometry g(params);
    const memory::desc images = onednn::images(dx), weights = onednn::weights_in_any_order(w);
    const memory::desc cotangents = onednn::images(dy);
    const auto hint = describe_forward(g, images, weights, memory::desc(), cotangents);
    const dnnl::convolution_backward_data::primitive_desc description(
        {direct, images, weights, cotangents, g.strides, g.before, g.after}, onednn::caller_scratchpad(), onednn::cpu(),
        hint);
    auto state = std::make_shared<Convolution>();
    state->reorder = Reorder(onednn::weights(w), description.weights_desc());
    state->reserve(description, description.weights_desc());
    state->call =
        Call(dnnl::convolution_backward_data(description), {{DNNL_ARG_DIFF_DST, cotangents},
                                                            {DNNL_ARG_WEIGHTS, description.weights_desc()},
                                                            {DNNL_ARG_DIFF_SRC, images},
                                                            {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}});
    return {[state](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
              const void* const weights = state->ordered(w.data, workspace);
              state->call.run({dy.data, weights, dx.data, workspace + state->weight_bytes});
            },
            state->workspace_bytes};
  });
}

PreparedConv2dBackwardWeight prepare_conv2d_backward_weight(const Conv2dParams& params, const Shape& x, const Shape& dy,
                                                            const Shape& dw, bool bias) {
  return prepared("conv2d_backward_weight", x, dw, [&]() -> PreparedConv2dBackwardWeight {
    if (is_pointwise_product(params, dw)) {
      return prepare_pointwise_backward_weight(params, x, dy, dw, bias);
    }
    if (is_winograd(params, dw, dy)) {
      return prepare_winograd_backward_weight(params, x, dy, dw, bias);
    }
    if (is_small_map(dw, dy)) {
      return prepare_small_map_backward_weight(params, dy, dw, bias);
    }
    if (is_window_product(params, dw)) {
      return prepare_window_product_backward_weight(params.padding, x, dy, dw);
    }
    const Geometry g(params);
    const memory::desc images = onednn::images(x), cotangents = onednn::images(dy);
    const memory::desc weights = onednn::weights_in_any_order(dw);
    const memory::desc biases = bias ? onednn::vector(dw[0]) : memory::desc();
    const auto hint = describe_forward(g, images, weights, biases, cotangents);
    using Gradient = dnnl::convolution_backward_weights;
    const Gradient::primitive_desc description(
        bias ? Gradient::desc(direct, images, weights, biases, cotangents, g.strides, g.before, g.after)
             : Gradient::desc(direct, images, weights, cotangents, g.strides, g.before, g.after),
        onednn::caller_scratchpad(), onednn::cpu(), hint);
    auto state = std::make_shared<Convolution>();
    state->reorder = Reorder(description.diff_weights_desc(), onednn::weights(dw));
    state->reserve(description, description.diff_weights_desc());
    std::vector<std::pair<int, memory::desc>> arguments{{DNNL_ARG_SRC, images},
                                                        {DNNL_ARG_DIFF_DST, cotangents},
                                                        {DNNL_ARG_DIFF_WEIGHTS, description.diff_weights_desc()},
                                                        {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}};
    if (bias) {
      arguments.push_back({DNNL_ARG_DIFF_BIAS, biases});
    }
    state->call = Call(Gradient(description), arguments);
    // A bias gradient that nobody wants still needs a place.
    const int64_t spare = state->workspace_bytes;
    const int64_t spare_bytes = bias ? aligned_bytes<float>(dw[0]) : 0;
    return {[state, bias, spare](View<const float> x, View<const float> dy, View<float> dw, View<float> db,
                                 std::byte* workspace) {
              std::byte* const scratchpad = workspace + state->weight_bytes;
              void* const weights = state->reorder.empty() ? static_cast<void*>(dw.data) : workspace;
              if (bias) {
                void* const biases = db.data == nullptr ? static_cast<void*>(workspace + spare) : db.data;
                state->call.run({x.data, dy.data, weights, scratchpad, biases});
              } else {
                state->call.run({x.data, dy.data, weights, scratchpad});
              }
              if (!state->reorder.empty()) {
                state->reorder.run(weights, dw.data, scratchpad);
              }
            },
            spare + spare_bytes};
  });
}

}  // namespace fer
