#include <memory>

#include "kernels/linear.h"
#include "kernels/onednn.h"

namespace fer {

using onednn::MatrixProduct;

PreparedLinearForward prepare_linear_forward(int64_t rows, int64_t in, int64_t out, bool bias) {
  auto product = std::make_shared<MatrixProduct>(
      onednn::MatrixShape{.m = rows, .k = in, .n = out, .b_transposed = true, .bias = bias});
  return {[product](View<const float> x, View<const float> w, View<const float> b, View<float> y,
                    std::byte* workspace) { product->run(x.data, w.data, b.data, y.data, workspace); },
          product->workspace_bytes()};
}

PreparedLinearBackwardData prepare_linear_backward_data(int64_t rows, int64_t in, int64_t out) {
  auto product = std::make_shared<MatrixProduct>(onednn::MatrixShape{.m = rows, .k = out, .n = in});
  return {[product](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
            product->run(dy.data, w.data, nullptr, dx.data, workspace);
          },
          product->workspace_bytes()};
}

PreparedLinearBackwardWeight prepare_linear_backward_weight(int64_t rows, int64_t in, int64_t out) {
  auto product =
      std::make_shared<MatrixProduct>(onednn::MatrixShape{.m = out, .k = rows, .n = in, .a_transposed = true});
  return {[product](View<const float> x, View<const float> dy, View<float> dw, std::byte* workspace) {
            product->run(dy.data, x.data, nullptr, dw.data, workspace);
          },
          product->workspace_bytes()};
}

}  // namespace fer
