// Pooling, resizing and sampling.
#include "kernels/cuda/grid_sample.h"
#include "kernels/cuda/pool.h"
#include "kernels/cuda/resize.h"
#include "kernels/grid_sample.h"
#include "kernels/resize.h"
#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

Shape pooled(const Shape& x, const PoolParams& params) {
  const Padding& p = params.padding;
  return {x[0], window_extent("pool", x[1], p.top, p.bottom, params.kernel, params.stride),
          window_extent("pool", x[2], p.left, p.right, params.kernel, params.stride), x[3]};
}

void add_max_pool(const std::string& name, const Shape& shape, const PoolParams& params) {
  for (bool reference : {false, true}) {
    add_kernel_case("max_pool/" + name + (reference ? "_reference" : ""), [=]<class T>(Trial& trial, T) {
      const Shape out = pooled(shape, params);
      const auto x = trial.input<T>(shape), dy = trial.input<T>(out);
      const auto y = trial.output<T>(out), only_y = trial.output<T>(out), dx = trial.output<T>(shape);
      const auto argmax = trial.output<uint8_t>(out);
      max_pool_forward<double>(params, x.host, y.host, argmax.host, true);
      max_pool_forward<double>(params, x.host, only_y.host, {}, true);
      max_pool_backward<double>(params, argmax.host, dy.host, dx.host, true);
      trial.run([&](cuda::Stream s) {
        cuda::max_pool_forward<T>(params, x, y, argmax, s, reference);
        cuda::max_pool_forward<T>(params, x, only_y, {}, s, reference);
        cuda::max_pool_backward<T>(params, argmax, dy, dx, s, reference);
      });
    });
  }
}

void add_average_pool(const std::string& name, const Shape& shape, const PoolParams& params) {
  for (bool reference : {false, true}) {
    add_kernel_case("average_pool/" + name + (reference ? "_reference" : ""), [=]<class T>(Trial& trial, T) {
      const Shape out = pooled(shape, params);
      const auto x = trial.input<T>(shape), dy = trial.input<T>(out);
      const auto y = trial.output<T>(out), dx = trial.output<T>(shape);
      average_pool_forward<double>(params, x.host, y.host);
      average_pool_backward<double>(params, dy.host, dx.host);
      trial.run([&](cuda::Stream s) {
        cuda::average_pool_forward<T>(params, x, y, s, reference);
        cuda::average_pool_backward<T>(params, dy, dx, s, reference);
      });
    });
  }
}

void add_global_pool(const Shape& shape) {
  for (bool reference : {false, true}) {
    add_kernel_case("global_average_pool/" + to_string(shape) + (reference ? "_reference" : ""),
                    [=]<class T>(Trial& trial, T) {
                      const Shape out{shape[0], shape[3]};
                      const auto x = trial.input<T>(shape), dy = trial.input<T>(out);
                      const auto y = trial.output<T>(out), dx = trial.output<T>(shape);
                      global_average_pool_forward<double>(
                          x.host, y.host, trial.host_workspace(global_average_pool_workspace_bytes(shape[3])));
                      global_average_pool_backward<double>(dy.host, dx.host);
                      trial.run([&](cuda::Stream s) {
                        cuda::global_average_pool_forward<T>(x, y, s, reference);
                        cuda::global_average_pool_backward<T>(dy, dx, s, reference);
                      });
                    });
  }
}

void add_resize(const std::string& name, const Shape& shape, int64_t height, int64_t width) {
  for (bool reference : {false, true}) {
    add_kernel_case("resize_bilinear/" + name + (reference ? "_reference" : ""), [=]<class T>(Trial& trial, T) {
      const Shape out{shape[0], height, width, shape[3]};
      const auto x = trial.input<T>(shape), dy = trial.input<T>(out);
      const auto y = trial.output<T>(out), dx = trial.output<T>(shape);
      resize_bilinear_forward<double>(x.host, y.host);
      resize_bilinear_backward<double>(dy.host, dx.host);
      trial.run([&](cuda::Stream s) {
        cuda::resize_bilinear_forward<T>(x, y, s, reference);
        cuda::resize_bilinear_backward<T>(dy, dx, s, reference);
      });
    });
  }
}

// theta = `scale` times the identity plus numbers in ± spread. Both sides find the same corners: the CPU's kernel is
// asked in float, since a point that falls on a pixel's centre takes its gradient from one side or the other.
void add_grid_sample(const std::string& name, const Shape& shape, int64_t height, int64_t width, double spread,
                     double scale = 1) {
  for (bool reference : {false, true}) {
    add_kernel_case("affine_grid_sample/" + name + (reference ? "_reference" : ""), [=]<class T>(Trial& trial, T) {
      const Shape out{shape[0], height, width, shape[3]};
      std::vector<float> numbers;
      for (double number : trial.input<float>({shape[0] * 6}, -spread, spread).host) {
        const bool diagonal = numbers.size() % 6 == 0 || numbers.size() % 6 == 4;
        numbers.push_back(static_cast<float>(number + (diagonal ? scale : 0.0)));
      }
      const auto theta = trial.copy_of<float>({shape[0], 2, 3}, numbers);
      const auto x = trial.input<T>(shape), dy = trial.input<T>(out);
      const auto y = trial.output<T>(out), dx = trial.output<T>(shape), only_dx = trial.output<T>(shape);
      const auto dtheta = trial.output<float>({shape[0], 2, 3}), only_dtheta = trial.output<float>({shape[0], 2, 3});
      const Tensor x32 = Tensor::from(shape, x.host.data).converted(DType::f32);
      const Tensor dy32 = Tensor::from(out, dy.host.data).converted(DType::f32);
      const Tensor y32(DType::f32, out), dx32(DType::f32, shape), dtheta32(DType::f32, {shape[0], 2, 3});
      const View<const float> theta32{numbers.data(), {shape[0], 2, 3}};
      affine_grid_sample_forward<float>(x32.as<float>(), theta32, y32.as<float>());
      affine_grid_sample_backward<float>(x32.as<float>(), theta32, dy32.as<float>(), dx32.as<float>(),
                                         dtheta32.as<float>());
      std::copy_n(y32.data<float>(), y32.size(), y.host.data);
      std::copy_n(dx32.data<float>(), dx32.size(), dx.host.data);
      std::copy_n(dx32.data<float>(), dx32.size(), only_dx.host.data);
      std::copy_n(dtheta32.data<float>(), dtheta32.size(), dtheta.host.data);
      std::copy_n(dtheta32.data<float>(), dtheta32.size(), only_dtheta.host.data);
      trial.run([&](cuda::Stream s) {
        cuda::affine_grid_sample_forward<T>(x, theta, y, s, reference);
        cuda::affine_grid_sample_backward<T>(x, theta, dy, dx, dtheta, s, reference);
        cuda::affine_grid_sample_backward<T>(x, theta, dy, only_dx, {}, s, reference);
        cuda::affine_grid_sample_backward<T>(x, theta, dy, {}, only_dtheta, s, reference);
      });
    });
  }
}

}  // namespace

static const bool added = [] {
  add_max_pool("2x2", {2, 6, 4, 7}, {2, 2, {}});
  add_max_pool("2x2_wide", {2, 5, 4, 16}, {2, 2, {}});
  add_max_pool("2x2_odd", {3, 5, 7, 9}, {2, 2, {}});
  add_max_pool("2x2_one_window", {1, 2, 3, 129}, {2, 2, {}});
  add_max_pool("2x2_one_channel", {2, 9, 5, 1}, {2, 2, {}});
  add_max_pool("3x3_s2_p1", {2, 7, 6, 8}, {3, 2, {1, 1, 1, 1}});
  add_max_pool("3x3_s1_p1", {2, 4, 5, 3}, {3, 1, {1, 1, 1, 1}});
  add_max_pool("3x3_s2_same", {2, 6, 8, 5}, {3, 2, same_padding(6, 8, 3, 2)});
  add_max_pool("2x2_s3_gaps", {2, 8, 9, 2}, {2, 3, {}});
  add_max_pool("3x3_one_pixel", {2, 1, 1, 3}, {3, 2, {1, 1, 1, 1}});
  add_average_pool("2x2_odd", {2, 5, 7, 9}, {2, 2, {}});
  add_average_pool("3x3_s2", {1, 7, 8, 8}, {3, 2, {}});
  add_average_pool("3x3_s1", {2, 5, 4, 1}, {3, 1, {}});
  add_average_pool("2x2_s3_gaps", {1, 8, 6, 2}, {2, 3, {}});
  for (const Shape& shape : {Shape{3, 5, 7, 9}, Shape{1, 1, 1, 129}, Shape{2, 4, 4, 1}, Shape{2, 9, 9, 264}}) {
    add_global_pool(shape);
  }
  add_resize("grow", {2, 5, 4, 3}, 9, 7);
  add_resize("shrink", {2, 9, 7, 8}, 4, 5);
  add_resize("same", {1, 5, 6, 2}, 5, 6);
  add_resize("much", {1, 12, 12, 1}, 19, 5);
  add_resize("one_pixel", {2, 1, 1, 3}, 4, 5);
  add_resize("to_one_pixel", {2, 5, 4, 3}, 1, 1);
  add_resize("row", {1, 1, 7, 1}, 3, 2);
  add_resize("channels_129", {1, 3, 2, 129}, 4, 5);
  add_grid_sample("near", {2, 7, 6, 3}, 7, 6, 0.2);
  add_grid_sample("near_wide", {2, 7, 6, 16}, 7, 6, 0.2);
  add_grid_sample("far", {3, 6, 7, 2}, 6, 7, 1.5);
  add_grid_sample("outside", {2, 5, 5, 2}, 5, 5, 6);
  add_grid_sample("one_channel", {1, 9, 9, 1}, 9, 9, 0.4);
  add_grid_sample("channels_129", {1, 3, 3, 129}, 2, 3, 0.5);
  add_grid_sample("grow", {2, 4, 5, 3}, 9, 7, 0.3);
  add_grid_sample("shrink", {2, 9, 8, 8}, 3, 4, 0.3);
  add_grid_sample("one_pixel", {2, 1, 1, 3}, 1, 1, 0.3);
  add_grid_sample("one_pixel_to_many", {1, 1, 1, 2}, 4, 5, 0.3);
  add_grid_sample("row", {1, 1, 7, 2}, 2, 6, 0.3);
  add_grid_sample("identity", {2, 6, 5, 2}, 6, 5, 0);
  add_grid_sample("to_a_point", {2, 6, 5, 2}, 6, 5, 0, 0);
  add_grid_sample("nearly_to_a_point", {2, 6, 5, 2}, 6, 5, 1e-4, 1e-3);
  return true;
}();

}  // namespace fer::test
