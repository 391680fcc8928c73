#include "kernels/cuda/depthwise.h"

#include "kernels/batch_norm.h"
#include "kernels/cuda/batch_norm.h"
#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

struct Setting {
  Shape x;
  int64_t rows, columns;
  Conv2dParams params;
  bool bias;

  Shape w() const { return {rows, columns, x[3]}; }
  Shape y() const {
    const Padding& p = params.padding;
    return {x[0], window_extent("depthwise", x[1], p.top, p.bottom, rows, params.stride),
            window_extent("depthwise", x[2], p.left, p.right, columns, params.stride), x[3]};
  }
};

template <class T>
void all_three(Trial& trial, const Setting& setting, bool reference) {
  const Conv2dParams& params = setting.params;
  const auto x = trial.input<T>(setting.x), dy = trial.input<T>(setting.y());
  const auto w = trial.input<float>(setting.w());
  const auto b = setting.bias ? trial.input<float>({setting.x[3]}) : Array<float>{};
  const auto y = trial.output<T>(setting.y()), dx = trial.output<T>(setting.x);
  const auto dw = trial.output<float>(setting.w());
  depthwise_forward_plain<double>(params, x.host, w.host, b.host, y.host);
  depthwise_backward_data_plain<double>(params, w.host, dy.host, dx.host);
  depthwise_backward_weight_plain<double>(params, x.host, dy.host, dw.host);
  std::byte* const workspace = trial.workspace(cuda::depthwise_weight_workspace(dw.host.size()));
  trial.run([&](cuda::Stream s) {
    cuda::depthwise_forward<T>(params, x, w, b, y, s, nullptr, reference);
    cuda::depthwise_backward_data<T>(params, w, dy, dx, s, reference);
    cuda::depthwise_backward_weight<T>(params, x, dy, dw, workspace, s, reference);
  });
}

// The statistics that a convolution leaves are those of its result.
template <class T>
void with_statistics(Trial& trial, const Setting& setting) {
  const Shape channels{setting.x[3]};
  const auto x = trial.input<T>(setting.x);
  const auto w = trial.input<float>(setting.w(), 0, 1);
  const auto y = trial.output<T>(setting.y()), z = trial.output<T>(setting.y());
  const auto gamma = trial.input<float>(channels, 0.5, 1.5), beta = trial.input<float>(channels);
  const auto running_mean = trial.updated<float>(channels), running_var = trial.updated<float>(channels, 0.5, 1.5);
  depthwise_forward_plain<double>(setting.params, x.host, w.host, {}, y.host);
  batch_norm_training<double>({}, Activation::relu6, View<const double>(y.host), gamma.host, beta.host, {},
                              running_mean.host, running_var.host, z.host, {}, {},
                              trial.host_workspace(batch_norm_workspace_bytes<double>(channels[0])));
  std::byte* const workspace = trial.workspace(cuda::batch_norm_workspace_bytes(channels[0]));
  trial.tolerance(std::is_same_v<T, float> ? 2e-5 : 2e-3, 3e-2);  // the CPU's statistics are of y before rounding
  trial.run([&](cuda::Stream s) {
    const int parts = cuda::depthwise_forward<T>(setting.params, x, w, {}, y, s, workspace);
    cuda::batch_norm_training<T>({}, Activation::relu6, View<const T>(y), gamma, beta, {}, running_mean, running_var, z,
                                 {}, {}, workspace, s, parts);
  });
}

void add(const std::string& name, const Setting& setting) {
  add_kernel_case("depthwise/" + name, [=]<class T>(Trial& trial, T) { all_three<T>(trial, setting, false); });
  add_kernel_case("depthwise/" + name + "_plain",
                  [=]<class T>(Trial& trial, T) { all_three<T>(trial, setting, true); });
}

}  // namespace

static const bool added = [] {
  for (int64_t kernel : {3, 5}) {
    for (int64_t stride : {1, 2}) {
      const std::string name = std::to_string(kernel) + "x" + std::to_string(kernel) + "_s" + std::to_string(stride);
      const Conv2dParams torch{stride, symmetric_padding(kernel / 2)};
      const auto same = [&](int64_t height, int64_t width) {
        return Conv2dParams{stride, same_padding(height, width, kernel, stride)};
      };
      add(name, {{2, 7, 12, 9}, kernel, kernel, torch, true});
      add(name + "_same", {{2, 6, 9, 8}, kernel, kernel, same(6, 9), false});
      add(name + "_same_even", {{1, 8, 10, 12}, kernel, kernel, same(8, 10), true});
      add(name + "_valid", {{1, 7, 18, 5}, kernel, kernel, {stride, {}}, true});
      add(name + "_2x2_maps", {{3, 2, 2, 40}, kernel, kernel, torch, false});
      add(name + "_one_pixel", {{2, 1, 1, 7}, kernel, kernel, torch, true});
      for (int64_t channels : {1, 2, 127, 128, 129, 132}) {
        add(name + "_c" + std::to_string(channels), {{1, 3, 5, channels}, kernel, kernel, torch, true});
      }
      for (int64_t channels : {7, 16, 132}) {
        add_kernel_case("depthwise/statistics_" + name + "_c" + std::to_string(channels),
                        [=]<class T>(Trial& trial, T) {
                          with_statistics<T>(trial, {{3, 9, 11, channels}, kernel, kernel, torch, false});
                        });
      }
    }
  }
  add("3x3_s1_wide_padding", {{2, 4, 5, 6}, 3, 3, {1, {4, 1, 0, 3}}, true});
  add("3x3_s2_wide_padding", {{2, 4, 5, 6}, 3, 3, {2, {4, 1, 0, 3}}, true});
  add("3x3_s3", {{2, 8, 7, 9}, 3, 3, {3, symmetric_padding(1)}, true});
  add("2x4_s1", {{2, 5, 6, 9}, 2, 4, {1, {0, 1, 2, 1}}, true});
  add("7x3_s2", {{2, 9, 6, 9}, 7, 3, {2, {3, 3, 1, 1}}, false});
  return true;
}();

}  // namespace fer::test
