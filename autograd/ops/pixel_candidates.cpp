#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/pixels.h"

namespace fer {

namespace {

// (image, pixels, values) -> candidates.
class PixelCandidates : public Operation {
 public:
  std::string name() const override { return "pixel_candidates"; }
  Half half() const override { return Half::never; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 3);
    const ValueType& image = inputs[0];
    const ValueType& pixels = inputs[1];
    with_float_type(name(), image.dtype, [](auto) {});
    if (image.shape.rank() != 4 || image.shape.size() == 0) {
      fail(name(), ": expects images [N,H,W,C], is given ", image);
    }
    const int rank = pixels.shape.rank();
    if (pixels.dtype != DType::i32 || (rank != 2 && rank != 3) || pixels.shape[-1] != 2) {
      fail(name(), ": pixels must be i32[N*M,2] or i32[N*M,P,2], are ", pixels);
    }
    const int64_t candidates = pixels.shape[0];
    if (candidates == 0 || candidates % image.shape[0] != 0) {
      fail(name(), ": ", candidates, " candidates (pixels ", pixels, ") are not a multiple of ", image.shape[0],
           " images (", image, ")");
    }
    const ValueType values{image.dtype, pixels.shape.with(-1, image.shape[3])};
    if (inputs[2] != values) {
      fail(name(), ": images ", image, " with pixels ", pixels, " expect values ", values, ", are ", inputs[2]);
    }
    return {{image.dtype, image.shape.with(0, candidates)}};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(expand_pixel_candidates));
  }
};

// (images, windows, from, to) -> pieces.
class PatchWindows : public Operation {
 public:
  PatchWindows(int64_t height, int64_t width) : height_(height), width_(width) {}

  std::string name() const override { return "patch_windows"; }

  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    check_input_count(*this, inputs, 4);
    const ValueType &x = inputs[0], &windows = inputs[1];
    with_float_type(name(), x.dtype, [](auto) {});
    if (x.shape.rank() != 4 || x.shape[0] == 0 || windows.shape.rank() != 4 || windows.dtype != x.dtype ||
        windows.shape[3] != x.shape[3] || windows.shape[0] % x.shape[0] != 0) {
      fail(name(), ": expects images [N,H,W,C] and windows [N*M,h,w,C], is given ", x, " and ", windows);
    }
    const ValueType places{DType::i32, {windows.shape[0], 2}};
    if (inputs[2] != places || inputs[3] != places || height_ < 1 || width_ < 1) {
      fail(name(), ": windows ", windows, " expect places ", places, ", are given ", inputs[2], " and ", inputs[3],
           " for pieces of ", height_, " x ", width_);
    }
    return {{x.dtype, {windows.shape[0], height_, width_, x.shape[3]}}};
  }

  Cost cost(std::span<const ValueType>, std::span<const ValueType> outputs) const override {
    return {0, 2 * outputs[0].bytes()};
  }

  Kernel prepare(std::span<const ValueType> inputs, std::span<const ValueType>,
                 const PrepareOptions& options) const override {
    return make_kernel(*this, inputs[0].dtype, options, FER_BOTH_DEVICES(patch_windows));
  }

 private:
  const int64_t height_, width_;
};

}  // namespace

Value pixel_candidates(Value image, Value pixels, Value values) {
  return image.graph().record(PixelCandidates(), {image, pixels, values});
}

Value patch_windows(Value x, Value windows, Value from, Value to, int64_t height, int64_t width) {
  return x.graph().record(PatchWindows(height, width), {x, windows, from, to});
}

}  // namespace fer
