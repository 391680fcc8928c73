#include "kernels/cpu/conv2d_products.h"

#include <algorithm>
#include <memory>

#include "kernels/channel_sum.h"
#include "kernels/cpu/conv2d_taps.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/own_workspace.h"
#include "kernels/cpu/winograd_tile.h"
#include "kernels/onednn.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

using onednn::MatrixProduct;

constexpr int64_t grain = 1 << 14;  // elements worth a thread

// Calls body(packed pixel, image pixel) for the pixels of rows begin … end - 1 of `packed` [N,OH,OW,C].
template <class Body>
void for_packed_pixels(const Shape& image, const Shape& packed, int64_t stride, int64_t begin, int64_t end,
                       Body&& body) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image_row = row / packed[1] * image[1] + row % packed[1] * stride;
    for (int64_t column = 0; column < packed[2]; ++column) {
      body(row * packed[2] + column, image_row * image[2] + column * stride);
    }
  }
}

// Every stride-th pixel of x, as a matrix of pixels and channels: x itself, or packed [N,OH,OW,C] in workspace.
const float* pack(View<const float> x, const Shape& packed, int64_t stride, std::byte* workspace) {
  if (stride == 1) {
    return x.data;
  }
  float* const to = reinterpret_cast<float*>(workspace);
  const int64_t channels = x[3];
  parallel_for(packed[0] * packed[1], 1 + grain / (packed[2] * channels), [&](int64_t begin, int64_t end) {
    for_packed_pixels(x.shape, packed, stride, begin, end, [&](int64_t pixel, int64_t image_pixel) {
      std::copy_n(x.data + image_pixel * channels, channels, to + pixel * channels);
    });
  });
  return to;
}

// The reverse, with zeros between.
void unpack(const float* from, const Shape& packed, int64_t stride, View<float> dx) {
  const int64_t channels = dx[3];
  const int64_t image = dx[1] * dx[2] * channels;
  parallel_for(dx[0], 1 + grain / image, [&](int64_t begin, int64_t end) {
    std::fill(dx.data + begin * image, dx.data + end * image, 0.0f);
    for_packed_pixels(dx.shape, packed, stride, begin * packed[1], end * packed[1],
                      [&](int64_t pixel, int64_t image_pixel) {
                        std::copy_n(from + pixel * channels, channels, dx.data + image_pixel * channels);
                      });
  });
}

}  // namespace

bool is_pointwise_product(const Conv2dParams& params, const Shape& w) {
  return w[1] == 1 && w[2] == 1 && params.padding == Padding{};
}

// Workspace of the three: the packed pixels (with a stride of 1 the images themselves serve), then the product's
// scratchpad.

PreparedConv2dForward prepare_pointwise_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                                const Shape& y, bool bias, const Conv2dEpilogue& epilogue,
                                                bool weights_stay) {
  const Shape packed = y.with(3, x[3]);
  auto product = std::make_shared<MatrixProduct>(onednn::MatrixShape{.m = y.size() / w[0],
                                                                     .k = w[3],
                                                                     .n = w[0],
                                                                     .b_transposed = true,
                                                                     .bias = bias,
                                                                     .epilogue = epilogue,
                                                                     .b_kept = weights_stay && thread_count() == 1});
  const int64_t packed_bytes = params.stride > 1 ? aligned_bytes<float>(packed.size()) : 0;
  return {[=, stride = params.stride](View<const float> x, View<const float> w, View<const float> b, View<float> y,
                                      std::byte* workspace) {
            const float* const pixels = pack(x, packed, stride, workspace);
            product->run(pixels, w.data, b.data, y.data, workspace + packed_bytes);
          },
          packed_bytes + product->workspace_bytes(), 0, product->kept_bytes(),
          [product](const float* w, std::byte* kept) { product->keep(w, kept); }};
}

PreparedConv2dBackwardData prepare_pointwise_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                           const Shape& dx) {
  const Shape packed = dy.with(3, dx[3]);
  auto product = std::make_shared<MatrixProduct>(onednn::MatrixShape{.m = dy.size() / w[0], .k = w[0], .n = w[3]});
  const int64_t packed_bytes = params.stride > 1 ? aligned_bytes<float>(packed.size()) : 0;
  return {[=, stride = params.stride](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
            float* const pixels = stride == 1 ? dx.data : reinterpret_cast<float*>(workspace);
            product->run(dy.data, w.data, nullptr, pixels, workspace + packed_bytes);
            if (stride > 1) {
              unpack(pixels, packed, stride, dx);
            }
          },
          packed_bytes + product->workspace_bytes()};
}

namespace {

// dw = dy^T rows, where fill(x, workspace) returns a row of dw's size / O for every pixel of dy, made in the first
// `row_bytes` of workspace unless x serves; and db.
template <class Fill>
PreparedConv2dBackwardWeight weight_product(const Shape& dy, const Shape& dw, bool bias, int64_t row_bytes, Fill fill) {
  auto product = std::make_shared<MatrixProduct>(
      onednn::MatrixShape{.m = dw[0], .k = dy.size() / dw[0], .n = dw.size() / dw[0], .a_transposed = true});
  const int64_t sum_bytes = bias ? channel_sum_workspace(dw[0]) : 0;
  return {[=](View<const float> x, View<const float> dy, View<float> dw, View<float> db, std::byte* workspace) {
            product->run(dy.data, fill(x, workspace), nullptr, dw.data, workspace + row_bytes);
            if (db.data != nullptr) {
              channel_sum<float>(dy, db, workspace + row_bytes);
            }
          },
          row_bytes + std::max(product->workspace_bytes(), sum_bytes)};
}

}  // namespace

PreparedConv2dBackwardWeight prepare_pointwise_backward_weight(const Conv2dParams& params, const Shape& x,
                                                               const Shape& dy, const Shape& dw, bool bias) {
  const Shape packed = dy.with(3, x[3]);
  const int64_t stride = params.stride;
  return weight_product(dy, dw, bias, stride > 1 ? aligned_bytes<float>(packed.size()) : 0,
                        [=](View<const float> x, std::byte* workspace) { return pack(x, packed, stride, workspace); });
}

bool is_small_map(const Shape& w, const Shape& dy) { return w[1] * w[2] > 1 && w[3] >= 16 && dy[1] * dy[2] <= 16; }

PreparedConv2dBackwardWeight prepare_small_map_backward_weight(const Conv2dParams& params, const Shape& dy,
                                                               const Shape& dw, bool bias) {
  const int64_t pixels = dy[1] * dy[2], window = dw.size() / dw[0];
  return weight_product(
      dy, dw, bias, aligned_bytes<float>(dy[0] * pixels * window), [=](View<const float> x, std::byte* workspace) {
        float* const windows = reinterpret_cast<float*>(workspace);  // [N,OH,OW,kh,kw,I]
        parallel_for(dy[0], 1, [&](int64_t begin, int64_t end) {
          std::fill(windows + begin * pixels * window, windows + end * pixels * window, 0.0f);
          for (int64_t n = begin; n < end; ++n) {
            for_tap_rows(params, x.shape, dw, dy, n,
                         [&](int64_t pixel, int64_t x_offset, int64_t w_offset, int64_t length) {
                           std::copy_n(x.data + x_offset, length, windows + pixel * window + w_offset);
                         });
          }
        });
        return windows;
      });
}

bool has_few_channels(const Shape& w) { return w[3] <= 4 && w[1] * w[2] > 1; }

PreparedConv2dBackwardData prepare_few_channels_backward_data(const Conv2dParams& params, const Shape& w,
                                                              const Shape& dy) {
  const int64_t pixels = dy[1] * dy[2];
  const int64_t window = w.size() / w[0];
  // As many images at once as divide the batch and keep their windows in the cache.
  constexpr int64_t cached_bytes = 1 << 20;
  int64_t images = std::clamp<int64_t>(cached_bytes / aligned_bytes<float>(pixels * window), 1, dy[0]);
  while (dy[0] % images != 0) {
    --images;
  }
  auto product = std::make_shared<MatrixProduct>(onednn::MatrixShape{.m = images * pixels, .k = w[0], .n = window});
  const int64_t window_bytes = aligned_bytes<float>(images * pixels * window);
  return {[=](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
            float* const windows = reinterpret_cast<float*>(workspace);  // [images,OH,OW,kh,kw,I]
            const int64_t image = dx.size() / dx[0];
            for (int64_t first = 0; first < dy[0]; first += images) {
              product->run(dy.data + first * pixels * w[0], w.data, nullptr, windows, workspace + window_bytes);
              parallel_for(images, 1, [&](int64_t begin, int64_t end) {
                std::fill_n(dx.data + (first + begin) * image, (end - begin) * image, 0.0f);
                for (int64_t n = begin; n < end; ++n) {
                  for_tap_rows(params, dx.shape, w.shape, dy.shape, n,
                               [&](int64_t pixel, int64_t x_offset, int64_t w_offset, int64_t length) {
                                 float* const to = dx.data + first * image + x_offset;
                                 const float* const from = windows + pixel * window + w_offset;
                                 for (int64_t i = 0; i < length; ++i) {
                                   to[i] += from[i];
                                 }
                               });
                }
              });
            }
          },
          window_bytes + product->workspace_bytes()};
}

bool is_window_product(const Conv2dParams& params, const Shape& w) {
  return has_few_channels(w) && params.stride == 1 && w[0] % winograd_channels == 0;
}

namespace {

// dw and db = [windows, 1]^T dy, by the products of Winograd's weight gradient. Each thread sums images of its own:
// floats over an image, doubles over images. Its part of the workspace: totals and sums [values][O], windows
// [pixels][values], the rows of pixels that they read, between the zeros around them.
class WindowProduct {
 public:
  WindowProduct(const Padding& padding, const Shape& x, const Shape& dy, const Shape& dw)
      : padding_(padding),
        x_(x),
        dy_(dy),
        dw_(dw),
        parts_(std::min<int64_t>(thread_count(), x[0])),
        tile_(winograd_tile(4, 3)),  // whose products are those of any
        window_(dw.size() / dw[0]),
        values_(round_up(window_ + 1, tile_.factors)),
        rows_(std::clamp(std::clamp(cached / window_, winograd_chunk, most_pixels) / dy[2], int64_t{1}, dy[1])),
        row_size_((x[2] + padding.left + padding.right) * x[3] + slack),
        read_rows_(rows_ - 1 + dw[1]),
        sums_(values_ * dw[0] * int64_t{sizeof(double)}),
        windows_(sums_ + aligned_bytes<float>(values_ * dw[0])),
        pixels_(windows_ + aligned_bytes<float>(rows_ * dy[2] * values_ + slack)),
        own_bytes_(std::max(least_own_bytes, pixels_ + aligned_bytes<float>(read_rows_ * row_size_))) {}

  int64_t workspace_bytes() const { return parts_ * own_bytes_; }

  void run(const float* x, const float* dy, float* dw, float* db, std::byte* workspace) const {
    parallel_for(parts_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        sum(x, dy, x_[0] * part / parts_, x_[0] * (part + 1) / parts_, workspace + part * own_bytes_);
      }
    });
    const auto total = [&](int64_t value, int64_t output) {
      double all = 0;
      for (int64_t part = 0; part < parts_; ++part) {
        all += reinterpret_cast<const double*>(workspace + part * own_bytes_)[value * dw_[0] + output];
      }
      return static_cast<float>(all);
    };
    for (int64_t output = 0; output < dw_[0]; ++output) {
      for (int64_t value = 0; value < window_; ++value) {
        dw[output * window_ + value] = total(value, output);
      }
      if (db != nullptr) {
        db[output] = total(window_, output);
      }
    }
  }

 private:
  static constexpr int64_t slack = Wide<float>::width;          // what is copied ends with whole registers
  static constexpr int64_t cached = 1 << 12, most_pixels = 96;  // numbers of windows, and windows, at a time

  // Over images begin … end - 1.
  void sum(const float* x, const float* dy, int64_t begin, int64_t end, std::byte* own) const {
    const int64_t outputs = dw_[0], size = values_ * outputs, pixel_row = dy_[2] * outputs;
    const int64_t ahead = rows_ * pixel_row * tile_.panel * tile_.factors / size;  // what is asked for at each step
    double* const totals = reinterpret_cast<double*>(own);
    float* const sums = reinterpret_cast<float*>(own + sums_);
    float* const windows = reinterpret_cast<float*>(own + windows_);
    float* const pixels = reinterpret_cast<float*>(own + pixels_);
    std::fill_n(totals, size, 0.0);
    std::fill_n(pixels, read_rows_ * row_size_, 0.0F);
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t row = 0; row < dy_[1]; row += rows_) {
        const int64_t rows = std::min(rows_, dy_[1] - row);
        lay_out(x + n * x_[1] * x_[2] * x_[3], row, rows, pixels, windows);
        const float* const cotangents = dy + (n * dy_[1] + row) * pixel_row;
        const float* next = cotangents + rows * pixel_row;
        const float* const limit = dy + end * dy_[1] * pixel_row;
        for (int64_t o = 0; o < outputs; o += tile_.panel) {
          for (int64_t v = 0; v < values_; v += tile_.factors) {
            const int64_t asked = std::min(ahead, limit - next);
            prefetch(next, asked);
            next += asked;
            tile_.add_products(windows + v, values_, cotangents + o, outputs, rows * dy_[2], row == 0,
                               sums + v * outputs + o, outputs);
          }
        }
      }
      for (int64_t i = 0; i < size; ++i) {
        totals[i] += static_cast<double>(sums[i]);
      }
    }
  }

  // The windows of output rows first … first + rows - 1 of an image, each followed by a one; what fills the row up is
  // of no account.
  void lay_out(const float* image, int64_t first, int64_t rows, float* pixels, float* windows) const {
    const int64_t channels = x_[3], row_length = x_[2] * channels, top = first - padding_.top;
    for (int64_t r = 0; r < read_rows_; ++r) {
      float* const to = pixels + r * row_size_ + padding_.left * channels;
      if (top + r >= 0 && top + r < x_[1]) {
        std::copy_n(image + (top + r) * row_length, row_length, to);
      } else {
        std::fill_n(to, row_length, 0.0F);
      }
    }
    const int64_t length = dw_[2] * channels, columns = dy_[2];
    for (int64_t r = 0; r < rows; ++r) {
      const float* from = pixels + r * row_size_;
      for (int64_t column = 0; column < columns; ++column, from += channels, windows += values_) {
        for (int64_t at = 0, row = 0; at < window_; at += length, row += row_size_) {
          for (int64_t i = 0; i < length; i += slack) {
            Wide<float>::store(windows + at + i, Wide<float>::load(from + row + i));
          }
        }
        windows[window_] = 1;
      }
    }
  }

  Padding padding_;
  Shape x_, dy_, dw_;
  int64_t parts_;  // of the images
  WinogradTile tile_;
  int64_t window_, values_;          // of a window; with the one and what fills the row up
  int64_t rows_;                     // of output pixels, at a time
  int64_t row_size_, read_rows_;     // of the pixels that their windows read
  int64_t sums_, windows_, pixels_;  // where they begin in a thread's part
  int64_t own_bytes_;
};

}  // namespace

PreparedConv2dBackwardWeight prepare_window_product_backward_weight(const Padding& padding, const Shape& x,
                                                                    const Shape& dy, const Shape& dw) {
  const WindowProduct product(padding, x, dy, dw);
  return {[product](View<const float> x, View<const float> dy, View<float> dw, View<float> db, std::byte* workspace) {
            product.run(x.data, dy.data, dw.data, db.data, workspace);
          },
          product.workspace_bytes()};
}

}  // namespace fer
