// Sums over rows, copies and factors of channels.
#include "kernels/channel_sum.h"
#include "kernels/concat.h"
#include "kernels/cuda/channel_sum.h"
#include "kernels/cuda/concat.h"
#include "kernels/cuda/scale_channels.h"
#include "kernels/scale_channels.h"
#include "tests/cuda/trial.h"

namespace fer::test {

static const bool added = [] {
  for (bool reference : {false, true}) {
    const std::string suffix = reference ? "_reference" : "";
    for (const Shape& shape :
         {Shape{1, 1}, Shape{5, 2}, Shape{300, 7}, Shape{40, 127}, Shape{257, 128}, Shape{3, 129}, Shape{2, 264}}) {
      add_kernel_case("channel_sum/" + to_string(shape) + suffix, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape);
        const auto y = trial.output<float>({shape[1]});
        channel_sum<double>(x.host, y.host, trial.host_workspace(channel_sum_workspace(shape[1])));
        std::byte* const workspace = trial.workspace(cuda::channel_sum_workspace(shape[1]));
        trial.run([&](cuda::Stream s) { cuda::channel_sum<T>(x, y, workspace, s, reference); });
      });
    }
    struct Copy {
      int64_t x_channels, from, y_channels, to, count;
    };
    for (const Copy& copy : {Copy{5, 0, 13, 0, 5}, Copy{8, 0, 13, 5, 8}, Copy{16, 8, 24, 16, 8},
                             Copy{129, 1, 130, 2, 128}, Copy{1, 0, 1, 0, 1}}) {
      for (const char* operation : {"concat/", "slice_channels/"}) {
        add_kernel_case(operation + std::to_string(copy.x_channels) + suffix, [=]<class T>(Trial& trial, T) {
          const auto x = trial.input<T>({2, 3, 3, copy.x_channels});
          const auto y = trial.updated<T>({2, 3, 3, copy.y_channels});  // other channels are left alone
          copy_channels<double>(x.host, copy.from, y.host, copy.to, copy.count);
          trial.run(
              [&](cuda::Stream s) { cuda::copy_channels<T>(x, copy.from, y, copy.to, copy.count, s, reference); });
        });
      }
    }
    for (const Shape& shape : {Shape{3, 5, 4, 7}, Shape{1, 1, 1, 129}, Shape{2, 3, 3, 1}, Shape{2, 6, 7, 16}}) {
      const Shape factors{shape[0], shape[3]};
      add_kernel_case("scale_channels/" + to_string(shape) + suffix, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), factor = trial.input<T>(factors);
        const auto y = trial.output<T>(shape), dy = trial.updated<T>(shape), ds = trial.output<T>(factors);
        scale_channels_forward<double>(x.host, factor.host, y.host);
        scale_channels_backward<double>(dy.host, x.host, factor.host, dy.host, ds.host,
                                        trial.host_workspace(scale_channels_workspace_bytes(shape[3])));
        trial.run([&](cuda::Stream s) {
          cuda::scale_channels_forward<T>(x, factor, y, s, reference);
          cuda::scale_channels_backward<T>(dy, x, factor, dy, ds, s, reference);
        });
      });
      add_kernel_case("scale_channels/one_of_both" + to_string(shape) + suffix, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<T>(shape), factor = trial.input<T>(factors), dy = trial.input<T>(shape);
        const auto dx = trial.output<T>(shape), ds = trial.output<T>(factors);
        scale_channels_backward<double>(dy.host, x.host, factor.host, dx.host, ds.host,
                                        trial.host_workspace(scale_channels_workspace_bytes(shape[3])));
        trial.run([&](cuda::Stream s) {
          cuda::scale_channels_backward<T>(dy, x, factor, dx, {nullptr, factors}, s, reference);
          cuda::scale_channels_backward<T>(dy, x, factor, {nullptr, shape}, ds, s, reference);
        });
      });
    }
  }
  return true;
}();

}  // namespace fer::test
