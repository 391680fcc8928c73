// Dense convolutions and layers: the plain kernels.
#include "kernels/conv2d.h"
#include "kernels/cuda/bias.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/linear.h"
#include "kernels/linear.h"
#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

void add_conv(const std::string& name, const Shape& shape, int64_t out, int64_t rows, int64_t columns,
              const Conv2dParams& params, bool bias) {
  add_kernel_case("conv2d/" + name, [=]<class T>(Trial& trial, T) {
    const Padding& p = params.padding;
    const Shape filter{out, rows, columns, shape[3]};
    const Shape result{shape[0], window_extent("conv2d", shape[1], p.top, p.bottom, rows, params.stride),
                       window_extent("conv2d", shape[2], p.left, p.right, columns, params.stride), out};
    const auto x = trial.input<T>(shape), w = trial.input<T>(filter), dy = trial.input<T>(result);
    const auto b = bias ? trial.input<float>({out}) : Array<float>{};
    const auto y = trial.output<T>(result), dx = trial.output<T>(shape), dw = trial.output<T>(filter);
    conv2d_forward<double>(params, x.host, w.host, b.host, y.host);
    conv2d_backward_data<double>(params, w.host, dy.host, dx.host);
    conv2d_backward_weight<double>(params, x.host, dy.host, dw.host, {});
    trial.run([&](cuda::Stream s) {
      cuda::conv2d_forward<T>(params, x, w, b, y, s);
      cuda::conv2d_backward_data<T>(params, w, dy, dx, s);
      cuda::conv2d_backward_weight<T>(params, x, dy, dw, s);
    });
  });
}

void add_linear(int64_t rows, int64_t in, int64_t out, bool bias) {
  add_kernel_case("linear/" + to_string(Shape{rows, in, out}), [=]<class T>(Trial& trial, T) {
    const auto x = trial.input<T>({rows, in}), w = trial.input<T>({out, in}), dy = trial.input<T>({rows, out});
    const auto b = bias ? trial.input<float>({out}) : Array<float>{};
    const auto y = trial.output<T>({rows, out}), dx = trial.output<T>({rows, in}), dw = trial.output<T>({out, in});
    linear_forward<double>(x.host, w.host, b.host, y.host);
    linear_backward_data<double>(w.host, dy.host, dx.host);
    linear_backward_weight<double>(x.host, dy.host, dw.host);
    trial.run([&](cuda::Stream s) {
      cuda::linear_forward<T>(x, w, b, y, s);
      cuda::linear_backward_data<T>(w, dy, dx, s);
      cuda::linear_backward_weight<T>(x, dy, dw, s);
    });
  });
}

void add_bias(const Shape& shape) {
  add_kernel_case("linear/bias " + to_string(shape), [=]<class T>(Trial& trial, T) {
    const auto b = trial.input<float>({shape[-1]});
    const auto y = trial.updated<T>(shape);
    for (int64_t i = 0; i < shape.size(); ++i) {
      y.host.data[i] += b.host.data[i % shape[-1]];
    }
    trial.run([&](cuda::Stream s) { cuda::add_bias<T>(b, y, s); });
  });
}

}  // namespace

static const bool added = [] {
  add_conv("1x1", {2, 3, 4, 7}, 5, 1, 1, {1, {}}, true);
  add_conv("1x1_s2", {2, 5, 4, 3}, 2, 1, 1, {2, {}}, false);
  add_conv("3x3", {2, 5, 4, 3}, 4, 3, 3, {1, symmetric_padding(1)}, true);
  add_conv("3x3_s2", {2, 5, 6, 3}, 2, 3, 3, {2, symmetric_padding(1)}, false);
  add_conv("3x3_s2_same", {1, 6, 5, 2}, 3, 3, 3, {2, same_padding(6, 5, 3, 2)}, true);
  add_conv("5x5_valid", {1, 6, 7, 1}, 2, 5, 5, {1, {}}, true);
  add_conv("2x4", {1, 4, 6, 2}, 3, 2, 4, {1, {0, 1, 2, 1}}, false);
  add_conv("one_pixel", {2, 1, 1, 3}, 2, 3, 3, {2, symmetric_padding(1)}, true);
  add_linear(1, 1, 1, true);
  add_linear(3, 7, 2, false);
  add_linear(2, 129, 127, true);
  add_linear(9, 2, 7, true);
  add_bias({3, 7});
  add_bias({2, 5, 3, 130});
  return true;
}();

}  // namespace fer::test
