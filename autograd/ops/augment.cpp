#include "kernels/augment.h"

#include <limits>

#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"

namespace fer {

namespace {

// x -> augmented x. Images are data: there is no gradient.
class Augment : public Operation {
 public:
  Augment(const AugmentParams& params, uint32_t stream) : params_(params), stream_(stream) {}

  std::string name() const override { return "augment"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 1);
    const ValueType& x = inputs[0];
    with_float_type(name(), x.dtype, [](auto) {});
    if (x.shape.rank() != 4 || x.shape.size() == 0) {
      fail(name(), ": expects images [N,H,W,C], is given ", x);
    }
    if (x.shape.size() / x.shape[0] > std::numeric_limits<int32_t>::max()) {
      fail(name(), ": images of ", x, " are too large");
    }
    return {x};
  }

  // Coordinates and weights once a pixel, then 9 operations an element; contrast another 4.
  Cost cost(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override {
    const int64_t elements = outputs[0].shape.size(), pixels = elements / outputs[0].shape[3];
    const int64_t geometry = changes_geometry(params_) ? 12 * pixels + 9 * elements : 0;
    return {geometry + (changes_brightness(params_) ? 4 * elements : 0), moved_bytes(inputs, outputs)};
  }

  Half half() const override { return Half::never; }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    if (options.cuda != nullptr) {
      return with_launchers(*this, inputs[0].dtype, options, [&](const auto& launchers) {
        return launch_kernel(launchers.augment_forward, options, params_, stream_);
      });
    }
    return with_float_type(name(), inputs[0].dtype, [&](auto scalar) -> Kernel {
      using T = decltype(scalar);
      return {[params = params_, stream = stream_](const StepContext* step, auto in, auto out, std::byte*) {
        augment_forward<T>(params, Philox(step->seed, stream, step->step), in[0].template as<const T>(),
                           out[0].template as<T>());
      }};
    });
  }

 private:
  const AugmentParams params_;
  const uint32_t stream_;
};

void check_params(const AugmentParams& params) {
  const auto check = [](const char* what, double value, double below) {
    if (!(value >= 0 && value < below)) {
      fail("augment: ", what, " is ", value, ", expected 0 or more and below ", below);
    }
  };
  check("rotation", params.rotation, 360.1);
  check("shift", params.shift, 1);
  check("zoom", params.zoom, 1);
  check("shear", params.shear, 90);
  check("brightness", params.brightness, 1.1);
  check("contrast", params.contrast, 1.1);
  check("erase", params.erase, 1.1);
}

}  // namespace

Value augment(Value x, const AugmentParams& params) {
  check_params(params);
  return changes_anything(params) ? x.graph().record(Augment(params, x.graph().next_stream()), {x}) : x;
}

}  // namespace fer
