// What stands before a network: pixels, augmentation, dropout.
#include "kernels/cuda/pixels.h"

#include "kernels/augment.h"
#include "kernels/cuda/augment.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/random_uniform.h"
#include "kernels/dropout.h"
#include "kernels/pixels.h"
#include "kernels/random_uniform.h"
#include "tests/cases/augment_cases.h"
#include "tests/cuda/trial.h"

namespace fer::test {

namespace {

const StepContext step{.seed = 0x123456789, .step = (uint64_t{5} << 32) + 3};

// The step's seed and number in device memory.
const StepContext* on_device(Trial& trial) {
  const auto words = trial.copy_of<int64_t>({2}, {static_cast<int64_t>(step.seed), static_cast<int64_t>(step.step)});
  return reinterpret_cast<const StepContext*>(words.device.data);
}

template <class T>
void gather(Trial& trial, const Shape& table_shape, bool reference) {
  Shape rows = table_shape.with(0, 9);
  const auto table = trial.input<T>(table_shape, 0, 100), y = trial.output<T>(rows);
  const auto indices = trial.input<int32_t>({9}, -2, static_cast<double>(table_shape[0]));
  const DType host = dtype_of<typename Array<T>::Host>();
  gather_rows({table.host.data, host, table_shape}, indices.host, {y.host.data, host, rows});
  trial.run([&](cuda::Stream s) {
    cuda::gather_rows({table.device.data, dtype_of<T>(), table_shape}, indices, {y.device.data, dtype_of<T>(), rows}, s,
                      reference);
  });
}

void add_augment(const std::string& name, const Shape& shape, const AugmentParams& params) {
  add_kernel_case("augment/" + name, [=]<class T>(Trial& trial, T) {
    const auto x = trial.input<T>(shape, 0, 1), y = trial.output<T>(shape);
    augment_forward<double>(params, Philox(step.seed, 77, step.step), x.host, y.host);
    const StepContext* const context = on_device(trial);
    trial.tolerance(5e-5, 1e-2);  // coordinates in float, on images that are noise; bf16 rounds twice
    trial.run([&](cuda::Stream s) { cuda::augment_forward<T>(params, context, 77, x, y, s); });
  });
}

}  // namespace

static const bool added = [] {
  for (bool reference : {false, true}) {
    const std::string suffix = reference ? "_reference" : "";
    for (int64_t size : {1, 2, 7, 127, 128, 129}) {
      const std::string name = "/" + std::to_string(size) + suffix;
      add_kernel_case("decode" + name, [=]<class T>(Trial& trial, T) {
        const auto x = trial.input<uint8_t>({3, size}, 0, 255);
        const auto y = trial.output<T>({3, size});
        decode_pixels<double>(x.host, y.host);
        trial.run([&](cuda::Stream s) { cuda::decode_pixels<T>(x, y, s, reference); });
      });
      if (!reference) {
        add_kernel_case("random_uniform" + name, [=]<class T>(Trial& trial, T) {
          const RandomUniformParams params{.low = -0.25, .high = 0.5, .stream = 9};
          const auto y = trial.output<T>({size});
          random_uniform_forward<double>(params, step, y.host);
          const StepContext* const context = on_device(trial);
          trial.run([&](cuda::Stream s) { cuda::random_uniform_forward<T>(params, context, y, s); });
        });
      }
      add_kernel_case("gather" + name, [=]<class T>(Trial& trial, T) { gather<T>(trial, {5, size}, reference); });
      add_kernel_case("gather/u8" + name, [=]<class T>(Trial& trial, T) {
        gather<uint8_t>(trial, {4, size, 4}, reference);
      });
      for (bool per_sample : {false, true}) {
        add_kernel_case("dropout" + name + (per_sample ? "_samples" : ""), [=]<class T>(Trial& trial, T) {
          const DropoutParams params{.rate = 0.4, .stream = 12, .per_sample = per_sample};
          const auto y = trial.updated<T>({7, size});
          dropout_forward<double>(params, step, y.host, y.host, false);
          const StepContext* const context = on_device(trial);
          trial.run([&](cuda::Stream s) { cuda::dropout_forward<T>(params, context, y, y, s, reference); });
        });
      }
    }
  }
  add_kernel_case("gather/labels", []<class T>(Trial& trial, T) { gather<int32_t>(trial, {7}, false); });
  for (int64_t channels : {1, 2, 3, 7}) {
    add_kernel_case("replicate_channels/" + std::to_string(channels), [=]<class T>(Trial& trial, T) {
      const Shape one{2, 5, 3, 1}, many{2, 5, 3, channels};
      const auto x = trial.input<T>(one), dy = trial.input<T>(many);
      const auto y = trial.output<T>(many), dx = trial.output<T>(one);
      replicate_channels_forward<double>(x.host, y.host);
      replicate_channels_backward<double>(dy.host, dx.host);
      trial.run([&](cuda::Stream s) {
        cuda::replicate_channels_forward<T>(x, y, s);
        cuda::replicate_channels_backward<T>(dy, dx, s);
      });
    });
    for (int64_t each : {1, 9}) {
      add_kernel_case(
          "pixel_candidates/" + std::to_string(each) + "_channels_" + std::to_string(channels),
          [=]<class T>(Trial& trial, T) {
            // Rows and columns from -1 to 5 on images of 4x5: some lie outside, and many candidates meet.
            const auto x = trial.input<T>({2, 4, 5, channels}), values = trial.input<T>({6, each, channels});
            const auto places = trial.input<int32_t>({6, each, 2}, -1, 5);
            const auto y = trial.output<T>({6, 4, 5, channels});
            expand_pixel_candidates<double>(x.host, places.host, values.host, y.host);
            trial.run([&](cuda::Stream s) { cuda::expand_pixel_candidates<T>(x, places, values, y, s); });
          });
    }
  }
  for (int64_t channels : {1, 5}) {
    add_kernel_case("patch_windows/channels_" + std::to_string(channels), [=]<class T>(Trial& trial, T) {
      // Windows and pieces that reach over every edge of the images.
      const auto x = trial.input<T>({2, 4, 5, channels}), windows = trial.input<T>({6, 2, 3, channels});
      const auto from = trial.input<int32_t>({6, 2}, -1, 4), to = trial.input<int32_t>({6, 2}, -2, 3);
      const auto y = trial.output<T>({6, 3, 4, channels});
      patch_windows<double>(x.host, windows.host, from.host, to.host, y.host);
      trial.run([&](cuda::Stream s) { cuda::patch_windows<T>(x, windows, from, to, y, s); });
    });
  }
  each_augment_case(add_augment);
  return true;
}();

}  // namespace fer::test
