#include "kernels/normalised_product.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/own_workspace.h"
#include "kernels/onednn.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

using onednn::MatrixProduct;
using onednn::MatrixShape;

constexpr int64_t most_block_bytes = int64_t{1} << 18;
constexpr int64_t least_bytes = int64_t{2} << 20;  // of all normalised pixels

// How threads share out the pixels, and in which blocks each works on its own. Workspace: each thread's normalised
// block, what its products need and `own_bytes` more, then what the products keep of b and the channels' scales.
class Blocks {
 public:
  Blocks(const NormalisedShape& shape, const MatrixShape& product, int64_t own_bytes)
      : shape_(shape), parts_(parts_of(shape)), block_(block_of(shape)) {
    const ThreadCount of_each(1);
    for (int64_t part = 0; part < parts_; ++part) {
      products_.push_back(std::make_unique<MatrixProduct>(product));
    }
    product_at_ = aligned_bytes<float>(block_ * shape.inputs);
    rest_at_ = product_at_ + products_[0]->workspace_bytes();
    own_bytes_ = std::max(least_own_bytes, rest_at_ + own_bytes);
  }

  static int64_t parts_of(const NormalisedShape& shape) {
    return std::clamp<int64_t>(shape.pixels / std::max(shape.inputs, shape.outputs), 1, thread_count());
  }
  // Pixels of a block: all are as long, the last of a part begins earlier for it.
  static int64_t block_of(const NormalisedShape& shape) {
    const int64_t parts = parts_of(shape), longest = (shape.pixels + parts - 1) / parts;
    const int64_t most = most_block_bytes / (shape.inputs * int64_t{sizeof(float)});
    const int64_t count = std::max<int64_t>(2, (longest + most - 1) / most);
    return (longest + count - 1) / count;
  }

  int64_t parts() const { return parts_; }
  MatrixProduct& product(int64_t part) const { return *products_[static_cast<size_t>(part)]; }
  int64_t workspace_bytes() const { return scales_at() + aligned_bytes<float>(shape_.inputs); }
  std::byte* kept(std::byte* workspace) const { return workspace + parts_ * own_bytes_; }
  std::byte* rest(std::byte* workspace, int64_t part) const { return workspace + part * own_bytes_ + rest_at_; }

  // Calls begin(part), then body(part, first pixel, normalised pixels, workspace of the product) for every block, in
  // which pixels that another has already are zeros if `once`.
  template <class Begin, class Body>
  void run(const Pieces<const float>& x, const float* gamma, const float* beta, const float* mean,
           const float* inverse_std, std::byte* workspace, bool once, Begin&& begin_part, Body&& body) const {
    float* const scales = reinterpret_cast<float*>(workspace + scales_at());
    for (int64_t c = 0; c < shape_.inputs; ++c) {
      scales[c] = inverse_std[c] * gamma[c];
    }
    take_over(workspace, parts_, own_bytes_, own_bytes_, once);
    parallel_for(parts_, 1, [&](int64_t first_part, int64_t end_part) {
      for (int64_t part = first_part; part < end_part; ++part) {
        std::byte* const own = workspace + part * own_bytes_;
        float* const normalised = reinterpret_cast<float*>(own);
        begin_part(part);
        const int64_t end = shape_.pixels * (part + 1) / parts_;
        for (int64_t pixel = shape_.pixels * part / parts_; pixel < end; pixel += block_) {
          const int64_t first = std::min(pixel, end - block_), again = once ? pixel - first : 0;
          std::fill_n(normalised, again * shape_.inputs, 0.0F);
          batch_norm_rows::normalise_rows(shape_.activation, x, mean, scales, beta, first + again, first + block_,
                                          normalised + again * shape_.inputs, shape_.inputs);
          body(part, first, normalised, own + product_at_);
        }
      }
    });
  }

 private:
  int64_t scales_at() const { return parts_ * own_bytes_ + products_[0]->kept_bytes(); }

  NormalisedShape shape_;
  int64_t parts_, block_;
  std::vector<std::unique_ptr<MatrixProduct>> products_;  // one of each thread
  int64_t product_at_ = 0, rest_at_ = 0, own_bytes_ = 0;
};

}  // namespace

bool NormalisedShape::is_worth_it() const {
  return inputs >= outputs && pixels >= 2 * inputs && pixels * inputs * int64_t{sizeof(float)} >= least_bytes;
}

PreparedNormalisedForward prepare_normalised_forward(const NormalisedShape& shape) {
  const MatrixShape product{
      .m = Blocks::block_of(shape), .k = shape.inputs, .n = shape.outputs, .b_transposed = true, .b_kept = true};
  const auto blocks = std::make_shared<Blocks>(shape, product, 0);
  return {[blocks, outputs = shape.outputs](Pieces<const float> x, View<const float> gamma, View<const float> beta,
                                            View<const float> mean, View<const float> inverse_std, View<const float> w,
                                            View<float> y, std::byte* workspace) {
            std::byte* const ordered = blocks->kept(workspace);
            blocks->product(0).keep(w.data, ordered);
            blocks->run(
                x, gamma.data, beta.data, mean.data, inverse_std.data, workspace, false, [](int64_t) {},
                [&](int64_t part, int64_t first, const float* normalised, std::byte* of_product) {
                  blocks->product(part).run(normalised, reinterpret_cast<const float*>(ordered), nullptr,
                                            y.data + first * outputs, of_product);
                });
          },
          blocks->workspace_bytes()};
}

PreparedNormalisedBackwardWeight prepare_normalised_backward_weight(const NormalisedShape& shape) {
  const MatrixShape product{.m = shape.outputs,
                            .k = Blocks::block_of(shape),
                            .n = shape.inputs,
                            .a_transposed = true,
                            .epilogue = {.add = true}};
  const auto blocks = std::make_shared<Blocks>(shape, product, aligned_bytes<float>(shape.inputs * shape.outputs));
  return {[blocks, outputs = shape.outputs](Pieces<const float> x, View<const float> gamma, View<const float> beta,
                                            View<const float> mean, View<const float> inverse_std, View<const float> dy,
                                            View<float> dw, std::byte* workspace) {
            const auto sums = [&](int64_t part) {
              return part == 0 ? dw.data : reinterpret_cast<float*>(blocks->rest(workspace, part));
            };
            blocks->run(
                x, gamma.data, beta.data, mean.data, inverse_std.data, workspace, true,
                [&](int64_t part) { std::fill_n(sums(part), dw.size(), 0.0F); },
                [&](int64_t part, int64_t first, const float* normalised, std::byte* of_product) {
                  blocks->product(part).run(dy.data + first * outputs, normalised, nullptr, sums(part), of_product);
                });
            add_up_parts(dw.data, dw.size(), blocks->parts(), sums);
          },
          blocks->workspace_bytes()};
}

}  // namespace fer
