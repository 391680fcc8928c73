#include "kernels/cuda/elementwise.h"

#include "kernels/elementwise.h"
#include "tests/cuda/trial.h"

namespace fer::test {

static const bool added = [] {
  for (int64_t size : {1, 2, 7, 127, 128, 129, 1030}) {
    const std::string suffix = "/" + std::to_string(size);
    const Shape shape{size};
    for (bool reference : {false, true}) {
      const std::string name = suffix + (reference ? "_reference" : "");
      add_kernel_case("add" + name, [=]<class T>(Trial& trial, T) {
        const auto a = trial.input<T>(shape), b = trial.input<T>(shape), y = trial.output<T>(shape);
        add_forward<double>(a.host, b.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::add_forward<T>(a, b, y, s, reference); });
      });
      add_kernel_case("multiply" + name, [=]<class T>(Trial& trial, T) {
        const auto a = trial.input<T>(shape), y = trial.updated<T>(shape);  // in place
        multiply_forward<double>(a.host, y.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::multiply_forward<T>(a, y, y, s, reference); });
      });
      add_kernel_case("scale" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), y = trial.output<T>(shape);
        scale_forward<double>(-2.5, x.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::scale_forward<T>(-2.5, x, y, s, reference); });
      });
      add_kernel_case("clamp" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), dy = trial.input<T>(shape);
        const auto y = trial.output<T>(shape), dx = trial.output<T>(shape);
        clamp_forward<double>(-0.5, 0.25, x.host, y.host);
        clamp_backward<double>(-0.5, 0.25, x.host, dy.host, dx.host);
        trial.run([&](cuda::Stream s) {
          cuda::clamp_forward<T>(-0.5, 0.25, x, y, s, reference);
          cuda::clamp_backward<T>(-0.5, 0.25, x, dy, dx, s, reference);
        });
      });
      add_kernel_case("sign" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), y = trial.output<T>(shape);
        sign_forward<double>(x.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::sign_forward<T>(x, y, s, reference); });
      });
      add_kernel_case("sign_step" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), g = trial.input<T>(shape), y = trial.output<T>(shape);
        sign_step<double>(0.125, -0.75, 0.75, x.host, g.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::sign_step<T>(0.125, -0.75, 0.75, x, g, y, s, reference); });
      });
      add_kernel_case("ball_step" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), origin = trial.input<T>(shape, 0, 1), g = trial.input<T>(shape);
        const auto y = trial.output<T>(shape);
        ball_step<double>(0.125, 0.25, x.host, origin.host, g.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::ball_step<T>(0.125, 0.25, x, origin, g, y, s, reference); });
      });
      add_kernel_case("convert" + name, [=]<class T>(Trial& trial, T) {
        using Other = std::conditional_t<std::is_same_v<T, float>, cuda::bf16, float>;
        const auto x = trial.input<T>(shape);
        const auto y = trial.output<Other>(shape);
        std::copy(x.host.begin(), x.host.end(), y.host.begin());
        trial.tolerance(0, 0x1p-8);
        trial.run([&](cuda::Stream s) { cuda::convert<T, Other>(x, y, s, reference); });
      });
    }
    add_kernel_case("sign_step/many" + suffix, [=]<class T>(Trial& trial, T) {
      const Shape many{3, size};
      const auto epsilons = trial.input<float>({3}, 0, 0.5);
      const auto x = trial.input<T>(shape), g = trial.input<T>(shape), y = trial.output<T>(many);
      for (int64_t e = 0; e < 3; ++e) {
        sign_step<double>(epsilons.host.data[e], 0, 1, x.host, g.host, {y.host.data + e * size, shape});
      }
      trial.run([&](cuda::Stream s) { cuda::sign_steps<T>(epsilons, 0, 1, x, g, y, s); });
    });
    add_kernel_case("sum" + suffix, [=]<class T>(Trial& trial, T) {
      const auto x = trial.input<T>({size, 5}), y = trial.output<T>({});
      sum_forward<double>(x.host, y.host, trial.host_workspace(sum_workspace_bytes()));
      std::byte* const workspace = trial.workspace(cuda::sum_workspace_bytes());
      trial.run([&](cuda::Stream s) { cuda::sum_forward<T>(x, y, workspace, s); });
    });
    add_kernel_case("constant" + suffix, [=]<class T>(Trial& trial, T) {
      const auto y = trial.output<T>(shape);
      const auto labels = trial.output<int32_t>(shape);
      fill<double>(0.5, y.host);
      fill<int32_t>(3, labels.host);
      trial.run([&](cuda::Stream s) {
        cuda::fill<T>(T(0.5F), y, s);
        cuda::fill<int32_t>(3, labels, s);
      });
    });
    add_kernel_case("broadcast" + suffix, [=]<class T>(Trial& trial, T) {
      const auto x = trial.input<T>({}), y = trial.output<T>(shape);
      fill<double>(x.host.data[0], y.host);
      trial.run([&](cuda::Stream s) { cuda::broadcast<T>(x, y, s); });
    });
  }
  // An output that is not aligned to more than its own type.
  add_kernel_case("add/unaligned", []<class T>(Trial& trial, T) {
    const auto a = trial.input<T>({35}), b = trial.input<T>({35}), y = trial.updated<T>({36});
    add_forward<double>(a.host, b.host, {y.host.data + 1, {35}});
    trial.run([&](cuda::Stream s) { cuda::add_forward<T>(a, b, {y.device.data + 1, {35}}, s); });
  });
  return true;
}();

}  // namespace fer::test
