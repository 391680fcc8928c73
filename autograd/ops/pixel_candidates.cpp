#include "autograd/ops.h"
#include "autograd/ops/make_kernel.h"
#include "kernels/pixels.h"

namespace fer {

namespace {

// (image, pixels, values) -> candidates.
class PixelCandidates : public Operation {
 public:
  std::string name() const override { return "pixel_candidates"; }

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

}  // namespace

Value pixel_candidates(Value image, Value pixels, Value values) {
  return image.graph().record(PixelCandidates(), {image, pixels, values});
}

}  // namespace fer
