#include "kernels/cpu/conv2d_winograd.h"

#include <algorithm>
#include <type_traits>

#include "kernels/channel_sum.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/own_workspace.h"
#include "kernels/cpu/winograd_tile.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t most_elements = 36;                    // of a tile
constexpr int64_t most_weight_bytes = int64_t{9} << 20;  // transformed at a time: of a cache all threads share
constexpr int64_t most_tile_bytes = int64_t{3} << 18;    // of a thread's own cache
// Transformed tiles are few up to this size, and weights many from this size on.
constexpr int64_t most_few_tile_bytes = int64_t{4} << 20;
constexpr int64_t most_sum_bytes = int64_t{1} << 20;
constexpr int64_t most_own_sum_bytes = int64_t{5} << 19;  // that every thread has one of
constexpr int64_t least_many_weight_bytes = int64_t{2} << 20;
constexpr int64_t most_kept_bytes = int64_t{8} << 20;  // that transformed weights which stay take beyond the weights'

// Matrices [rows][columns], one for each element of a transformed tile. Neighbouring rows and matrices start in
// different sets of the cache.
struct Planes {
  static constexpr int64_t line = 16;
  Planes(int64_t elements, int64_t rows, int64_t columns)
      : row(columns + line), plane(rows * row + line), size(aligned_bytes<float>(elements * plane)) {}
  int64_t row, plane;
  int64_t size;  // in bytes
};

// Products that its tiles take of an image, per channel of the input and of the output.
int64_t products(const Shape& image, const WinogradTile& tile) {
  const int64_t outputs = tile.outputs;
  return ((image[1] + outputs - 1) / outputs) * ((image[2] + outputs - 1) / outputs) * tile.points * tile.points;
}

// Images [N,H,W,C] whose convolution [N,OH,OW,K] is made in tiles, each from pixels around it.
struct Tiles {
  Tiles(const Shape& from, const Shape& to, int64_t taps, const Padding& padding)
      : from(from), to(to), tile(best_tile(from, to, taps, padding)) {
    if (tile.inputs == tile.outputs + taps - 1) {
      top = padding.top;
      left = padding.left;
    }
  }

  Shape from, to;
  WinogradTile tile;
  int64_t top = 0, left = 0;  // how far a tile's first pixel lies before the first it makes

  int64_t elements() const { return tile.points * tile.points; }
  int64_t down() const { return (to[1] + tile.outputs - 1) / tile.outputs; }
  int64_t across() const { return (to[2] + tile.outputs - 1) / tile.outputs; }
  int64_t count() const { return from[0] * down() * across(); }
  // Of the FLOPs of a convolution that makes images `y`, how many are not done.
  int64_t saved_flops(const Shape& y) const {
    return 2 * from[3] * to[3] * (tile.taps * tile.taps * y[0] * y[1] * y[2] - count() * elements());
  }

  // Calls body(t, pixels) with the addresses of the pixels that tile first + t reads of `from`, or makes of `to`, t
  // below count; `outside` where an image ends. The next tile's are asked for early, so many channels of them: no
  // hardware sees them coming. Not where they are `streamed`, stored to past the caches.
  template <class Body>
  void for_inputs(int64_t first, int64_t count, const float* images, int64_t channels, const float* outside,
                  Body&& body) const {
    for_pixels({from, tile.outputs, tile.inputs, top, left}, first, count, images, channels, outside, body);
  }

  // T: const float, or float where they are stored to.
  template <class T, class Body>
  void for_outputs(int64_t first, int64_t count, T* images, int64_t channels, T* outside, bool streamed,
                   Body&& body) const {
    for_pixels({to, tile.outputs, tile.outputs}, first, count, images, channels, outside, body, streamed);
  }

  // The same of `to` made half as high and half as wide, in tiles of half the side.
  template <class Body>
  void for_pooled(int64_t first, int64_t count, float* images, int64_t channels, Body&& body) const {
    const int64_t side = tile.outputs / 2;
    for_pixels<float>({{to[0], to[1] / 2, to[2] / 2, to[3]}, side, side}, first, count, images, channels, nullptr,
                      body);
  }

 private:
  // The tile that takes the fewest products.
  static const WinogradTile& best_tile(const Shape& from, const Shape& to, int64_t taps, const Padding& padding) {
    if (taps == 5 ||
        (from[1] == 2 && from[2] == 2 && to[1] == 2 && to[2] == 2 && padding.top == 1 && padding.left == 1)) {
      return winograd_tile(2, taps);
    }
    const WinogradTile &small = winograd_tile(3, taps), &large = winograd_tile(4, taps);
    return products(to, small) <= products(to, large) ? small : large;
  }

  // Squares of so many pixels a side, `step` apart, the first of which begins so far up and back of the first pixel.
  struct Squares {
    Shape images;
    int64_t step, side, up = 0, back = 0;
  };

  template <class T, class Body>
  void for_pixels(const Squares& squares, int64_t first, int64_t count, T* images, int64_t channels, T* outside,
                  Body&& body, bool streamed = false) const {
    T* pixels[2][most_elements];
    look_up(squares, first, images, outside, pixels[0]);
    for (int64_t t = 0; t < count; ++t) {
      if (t + 1 < count) {
        T** const next = pixels[(t + 1) % 2];
        look_up(squares, first + t + 1, images, outside, next);
        for (int64_t i = 0; i < squares.side * squares.side; ++i) {
          if (!streamed && next[i] != nullptr) {
            prefetch<!std::is_const_v<T>>(next[i], channels);
          }
        }
      }
      body(t, pixels[t % 2]);
    }
  }

  template <class T>
  void look_up(const Squares& squares, int64_t number, T* images, T* outside, T** pixels) const {
    const int64_t height = squares.images[1], width = squares.images[2], channels = squares.images[3];
    T* const image = images + number / (down() * across()) * height * width * channels;
    const int64_t row = number / across() % down() * squares.step - squares.up;
    const int64_t column = number % across() * squares.step - squares.back;
    for (int64_t r = row; r < row + squares.side; ++r) {
      for (int64_t c = column; c < column + squares.side; ++c) {
        const bool inside = r >= 0 && r < height && c >= 0 && c < width;
        *pixels++ = inside ? image + (r * width + c) * channels : outside;
      }
    }
  }
};

// Weights w [o * output_stride + c * input_stride + tap * tap_stride], as the forward pass or the data gradient reads
// them: taps in reverse there.
struct Weights {
  int64_t outputs, inputs, taps;
  int64_t output_stride, input_stride, tap_stride;

  WinogradWeights at(const float* w, int64_t output, int64_t input) const {
    const int64_t first_tap = tap_stride < 0 ? (1 - taps * taps) * tap_stride : 0;
    return {w + output * output_stride + input * input_stride + first_tap, output_stride, input_stride, tap_stride};
  }
};

// Output channels whose weights, or their gradients, are dealt with at a time. The same for every instruction set, so
// that sums are made in one order.
int64_t channels_at_once(int64_t outputs, int64_t inputs, const Tiles& tiles) {
  constexpr int64_t channels = winograd_channels;
  const int64_t bytes = inputs * channels * tiles.elements() * int64_t{sizeof(float)};
  return std::clamp<int64_t>(most_weight_bytes / bytes, 1, outputs / channels) * channels;
}

// y = A^T [(G g G^T) * (B^T x B)] A, in blocks of output channels. Threads share out the tiles, each in blocks of
// tiles; or, where there are so few that the weights are most of the work, the output channels: each thread then
// transforms all tiles, and its own weights. Workspace: each thread's tiles and their products; the weights of a block,
// of all threads or of each, transformed [elements][channels / panel][inputs][panel], unless those of all blocks were
// kept; a pixel of zeros.
class Product {
 public:
  Product(const Tiles& tiles, const Weights& weights, const Conv2dEpilogue& epilogue, bool weights_stay = false)
      : tiles_(tiles),
        weights_(weights),
        epilogue_(epilogue),
        shares_tiles_(!has_few_tiles(tiles, weights)),
        channels_(shares_tiles_ ? channels_at_once(weights.outputs, weights.inputs, tiles) : winograd_channels),
        tiles_at_once_(shares_tiles_ ? std::clamp(most_tile_bytes / tile_bytes() / winograd_tiles * winograd_tiles,
                                                  winograd_tiles, all_tiles())
                                     : all_tiles()),
        u_(tiles.elements(), 1, weights.inputs * channels_),
        v_(tiles.elements(), tiles_at_once_, weights.inputs),
        m_(tiles.elements(), tiles_at_once_, channels_),
        threads_(std::clamp<int64_t>(
            shares_tiles_ ? tiles_.count() / winograd_tiles : weights.outputs / winograd_channels, 1, thread_count())),
        blocks_((weights.outputs + channels_ - 1) / channels_),
        keeps_weights_(weights_stay && blocks_ * u_.size <= aligned_bytes<float>(weights.outputs * weights.inputs *
                                                                                 weights.taps * weights.taps) +
                                                                most_kept_bytes) {}

  int64_t kept_bytes() const { return keeps_weights_ ? blocks_ * u_.size : 0; }
  void keep(const float* w, std::byte* kept) const {
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t first = block * channels_;
      parallel_for(weight_blocks(std::min(channels_, weights_.outputs - first)), 1, [&](int64_t begin, int64_t end) {
        transform_weights(w, first, begin, end, true, reinterpret_cast<float*>(kept + block * u_.size));
      });
    }
  }

  int64_t workspace_bytes() const { return zeros() + aligned_bytes<float>(weights_.inputs); }

  // w: the weights, or what was kept of them.
  void run(const float* x, const float* w, const float* bias, float* y, std::byte* workspace) const {
    float* const zeros = reinterpret_cast<float*>(workspace + this->zeros());
    std::fill_n(zeros, weights_.inputs, 0.0F);
    const auto v_of = [&](int part) { return reinterpret_cast<float*>(workspace + part * own_bytes()); };
    const auto made = [&](int part) { return reinterpret_cast<float*>(workspace + own_weights() + part * u_.size); };
    // The transformed weights of the channels from `first` on.
    const auto u_of = [&](int64_t first, int part) -> const float* {
      return keeps_weights_ ? w + first / channels_ * u_.size / int64_t{sizeof(float)} : made(part);
    };
    take_over(workspace, threads_, own_bytes(), own_bytes());
    if (!shares_tiles_) {
      parallel_parts(weights_.outputs / channels_, 1, [&](int64_t begin, int64_t end, int part) {
        transform_tiles(x, 0, tiles_.count(), zeros, v_of(part));
        for (int64_t first = begin * channels_; first < end * channels_; first += channels_) {
          if (!keeps_weights_) {
            transform_weights(w, first, 0, weight_blocks(channels_), false, made(part));
          }
          multiply(v_of(part), u_of(first, part), bias, first, channels_, 0, tiles_.count(), y);
        }
      });
      return;
    }
    for (int64_t first = 0; first < weights_.outputs; first += channels_) {
      const int64_t channels = std::min(channels_, weights_.outputs - first);
      if (!keeps_weights_) {
        parallel_for(weight_blocks(channels), 1,
                     [&](int64_t begin, int64_t end) { transform_weights(w, first, begin, end, true, made(0)); });
      }
      parallel_parts(tiles_.count(), winograd_tiles, [&](int64_t begin, int64_t end, int part) {
        for (int64_t tile = begin; tile < end; tile += tiles_at_once_) {
          const int64_t count = std::min(tiles_at_once_, end - tile);
          transform_tiles(x, tile, count, zeros, v_of(part));
          multiply(v_of(part), u_of(first, 0), bias, first, channels, tile, count, y);
        }
      });
    }
  }

 private:
  static bool has_few_tiles(const Tiles& tiles, const Weights& weights) {
    const int64_t element = tiles.elements() * weights.inputs * int64_t{sizeof(float)};
    return element * tiles.count() <= most_few_tile_bytes && element * weights.outputs > least_many_weight_bytes &&
           weights.outputs / winograd_channels >= thread_count();
  }

  int64_t all_tiles() const { return round_up(tiles_.count(), winograd_tiles); }
  int64_t tile_bytes() const { return (weights_.inputs + channels_) * tiles_.elements() * int64_t{sizeof(float)}; }
  int64_t own_bytes() const { return std::max(least_own_bytes, v_.size + m_.size); }
  int64_t own_weights() const { return threads_ * own_bytes(); }
  int64_t zeros() const { return own_weights() + (keeps_weights_ ? 0 : shares_tiles_ ? 1 : threads_) * u_.size; }
  // Blocks that transform_weights works in, of so many output channels.
  int64_t weight_blocks(int64_t channels) const {
    return channels / tiles_.tile.panel * (weights_.inputs / winograd_channels);
  }

  // Blocks begin … end - 1 of the output channels from `first` on; `shared`: for all threads to read.
  void transform_weights(const float* w, int64_t first, int64_t begin, int64_t end, bool shared, float* u) const {
    const int64_t panel = tiles_.tile.panel, across = weights_.inputs / winograd_channels;
    for (int64_t i = begin; i < end; ++i) {
      const WinogradWeights from = weights_.at(w, first + i / across * panel, i % across * winograd_channels);
      tiles_.tile.weights(from, shared, u + i * winograd_channels * panel, u_.plane);
    }
  }

  void transform_tiles(const float* x, int64_t first, int64_t count, const float* zeros, float* v) const {
    tiles_.for_inputs(first, count, x, weights_.inputs, zeros, [&](int64_t t, const float** pixels) {
      tiles_.tile.input(pixels, weights_.inputs, v + t * v_.row, v_.plane);
    });
  }

  // Output channels from `first` on of some tiles, by way of the place behind v. Rows of v past `count` hold whatever
  // was there; nobody reads their products.
  void multiply(float* v, const float* u, const float* bias, int64_t first, int64_t channels, int64_t tile,
                int64_t count, float* y) const {
    float* const m = v + v_.size / int64_t{sizeof(float)};
    const int64_t depth = weights_.inputs;
    for (int64_t i = 0; i < tiles_.elements(); ++i) {
      for (int64_t o = 0; o < channels; o += tiles_.tile.panel) {
        tiles_.tile.multiply(v + i * v_.plane, v_.row, round_up(count, winograd_tiles), u + i * u_.plane + o * depth,
                             depth, m + i * m_.plane + o, m_.row);
      }
    }
    const ClampRange range = *clamp_range(epilogue_.activation);
    const bool streamed = tiles_.tile.streams && !epilogue_.add && reinterpret_cast<uintptr_t>(y) % 64 == 0 &&
                          tiles_.to.size() * int64_t{sizeof(float)} >= least_streamed_bytes;
    WinogradResult result{.bias = bias == nullptr ? nullptr : bias + first,
                          .add = epilogue_.add,
                          .low = range.low,
                          .high = range.high,
                          .streamed = streamed,
                          .pooled = epilogue_.pool};
    if (epilogue_.normalise) {
      result.mean = result.bias + weights_.outputs;
      result.factor = result.mean + weights_.outputs;
      result.beta = result.factor + weights_.outputs;
    }
    const auto finish = [&](int64_t t, float** pixels) {
      tiles_.tile.output(m + t * m_.row, m_.plane, channels, result, pixels);
    };
    if (epilogue_.pool) {
      tiles_.for_pooled(tile, count, y + first, channels, finish);
    } else {
      tiles_.for_outputs<float>(tile, count, y + first, channels, nullptr, streamed, finish);
    }
    finish_streaming();
  }

  Tiles tiles_;
  Weights weights_;
  Conv2dEpilogue epilogue_;
  bool shares_tiles_;
  int64_t channels_;       // output channels of a block
  int64_t tiles_at_once_;  // of a thread
  Planes u_, v_, m_;
  int64_t threads_;  // that have a part of the workspace
  int64_t blocks_;   // of output channels
  bool keeps_weights_;
};

// How threads share out a matrix of sums: in so many rows and columns of rectangles. Each thread transforms all that
// its own sums are made of, part of it a second time, and reads and writes nothing of another's.
struct Rectangles {
  int64_t rows = 1, columns = 1;

  Rectangles() = default;
  // Of sums of so many output and input channels.
  Rectangles(int64_t outputs, int64_t inputs) {
    const auto cost = [&](int64_t rows, int64_t columns) {
      constexpr int64_t transform = 7;  // of a channel, in products
      const int64_t o = widest(outputs, rows), i = widest(inputs, columns);
      return o * i + transform * (o + i);
    };
    const int64_t threads = thread_count();
    for (int64_t r = 1; r <= std::min(threads, outputs / winograd_channels); ++r) {
      for (int64_t c = 1; c <= std::min(threads / r, inputs / winograd_channels); ++c) {
        if (cost(r, c) < cost(rows, columns)) {
          rows = r;
          columns = c;
        }
      }
    }
  }

  int64_t count() const { return rows * columns; }
  // Where part `index` of so many of these channels begins.
  static int64_t begin(int64_t channels, int64_t parts, int64_t index) {
    return channels / winograd_channels * index / parts * winograd_channels;
  }
  static int64_t widest(int64_t channels, int64_t parts) {
    return (channels / winograd_channels + parts - 1) / parts * winograd_channels;
  }
};

// dw = G^T [sum over tiles of (A dy A^T) * (B^T x B)] G. Where the sums are small each thread makes them all, of its
// own share of the tiles; otherwise its own rectangle of them, of all tiles, in blocks of output channels. Workspace:
// each thread's transformed x and dy and its sums, apart from the others': hardware that fetches ahead would take the
// lines around its own; a pixel of zeros.
class WeightGradient {
 public:
  explicit WeightGradient(const Tiles& tiles)
      : tiles_(tiles),
        inputs_(tiles.from[3]),
        few_tiles_(channel_bytes() * tiles.count() <= most_few_tile_bytes &&
                   channel_bytes() * tiles.to[3] >= most_weight_bytes),
        shares_tiles_(channel_bytes() * tiles.to[3] <= most_own_sum_bytes),
        channels_(few_tiles_ ? std::clamp<int64_t>(most_sum_bytes / channel_bytes() / winograd_channels, 1,
                                                   tiles.to[3] / winograd_channels) *
                                   winograd_channels
                             : channels_at_once(tiles.to[3], inputs_, tiles)),
        tiles_at_once_(few_tiles_ ? tiles.count() : std::min(winograd_chunk, tiles.count())),
        parts_(shares_tiles_ ? Rectangles() : Rectangles(channels_, inputs_)),
        threads_(shares_tiles_ ? std::clamp<int64_t>(tiles.count() / winograd_chunk, 1, thread_count())
                               : parts_.count()),
        sums_(tiles.elements(), Rectangles::widest(channels_, parts_.rows),
              Rectangles::widest(inputs_, parts_.columns)),
        v_(tiles.elements(), tiles_at_once_, Rectangles::widest(inputs_, parts_.columns)),
        d_(tiles.elements(), tiles_at_once_, Rectangles::widest(channels_, parts_.rows)) {}

  int64_t workspace_bytes() const { return zeros() + aligned_bytes<float>(std::max(inputs_, tiles_.to[3])); }

  void run(const float* x, const float* dy, float* dw, std::byte* workspace) const {
    float* const zeros = reinterpret_cast<float*>(workspace + this->zeros());
    std::fill_n(zeros, std::max(inputs_, tiles_.to[3]), 0.0F);
    const int64_t taps = tiles_.tile.taps * tiles_.tile.taps;
    take_over(workspace, threads_, own_bytes(), own_bytes(), shares_tiles_);
    if (shares_tiles_) {
      parallel_for(threads_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
          sum(x, dy, tiles_.count() * part / threads_, tiles_.count() * (part + 1) / threads_, inputs_, channels_,
              false, zeros, workspace + part * own_bytes());
        }
      });
      parallel_for(channels_, 1, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
          float* const all = sums_of(workspace) + o * sums_.row;
          for (int64_t part = 1; part < threads_; ++part) {
            const float* const more = sums_of(workspace + part * own_bytes()) + o * sums_.row;
            for (int64_t i = 0; i < tiles_.elements(); ++i) {
              for (int64_t c = 0; c < inputs_; ++c) {
                all[i * sums_.plane + c] += more[i * sums_.plane + c];
              }
            }
          }
          tiles_.tile.weight_gradient(all, sums_.plane, inputs_, dw + o * taps * inputs_, inputs_);
        }
      });
      return;
    }
    for (int64_t first = 0; first < tiles_.to[3]; first += channels_) {
      const int64_t channels = std::min(channels_, tiles_.to[3] - first);
      parallel_for(parts_.count(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
          const int64_t row = part / parts_.columns, column = part % parts_.columns;
          const int64_t o = Rectangles::begin(channels, parts_.rows, row);
          const int64_t c = Rectangles::begin(inputs_, parts_.columns, column);
          const int64_t outputs = Rectangles::begin(channels, parts_.rows, row + 1) - o;
          const int64_t inputs = Rectangles::begin(inputs_, parts_.columns, column + 1) - c;
          std::byte* const own = workspace + part * own_bytes();
          sum(x + c, dy + first + o, 0, tiles_.count(), inputs, outputs, first > 0, zeros, own);
          for (int64_t i = 0; i < outputs; ++i) {
            tiles_.tile.weight_gradient(sums_of(own) + i * sums_.row, sums_.plane, inputs,
                                        dw + (first + o + i) * taps * inputs_ + c, inputs_);
          }
        }
      });
    }
  }

 private:
  int64_t channel_bytes() const { return tiles_.elements() * inputs_ * int64_t{sizeof(float)}; }
  int64_t own_bytes() const { return std::max(least_own_bytes, v_.size + d_.size + sums_.size); }
  int64_t zeros() const { return threads_ * own_bytes(); }
  float* sums_of(std::byte* own) const { return reinterpret_cast<float*>(own + v_.size + d_.size); }

  // Over tiles begin … end - 1, of some channels. `again`: the place was last used for the same x.
  void sum(const float* x, const float* dy, int64_t begin, int64_t end, int64_t inputs, int64_t outputs, bool again,
           const float* zeros, std::byte* own) const {
    float* const v = reinterpret_cast<float*>(own);
    float* const d = reinterpret_cast<float*>(own + v_.size);
    float* const sums = sums_of(own);
    for (int64_t tile = begin; tile < end; tile += tiles_at_once_) {
      const int64_t count = std::min(tiles_at_once_, end - tile);
      if (!again || count < tiles_.count()) {
        tiles_.for_inputs(tile, count, x, inputs, zeros, [&](int64_t t, const float** pixels) {
          tiles_.tile.input(pixels, inputs, v + t * v_.row, v_.plane);
        });
      }
      tiles_.for_outputs<const float>(tile, count, dy, outputs, zeros, false, [&](int64_t t, const float** pixels) {
        tiles_.tile.cotangent(pixels, outputs, d + t * d_.row, d_.plane);
      });
      for (int64_t i = 0; i < tiles_.elements(); ++i) {
        for (int64_t c = 0; c < inputs; c += tiles_.tile.panel) {
          for (int64_t o = 0; o < outputs; o += tiles_.tile.factors) {
            tiles_.tile.add_products(d + i * d_.plane + o, d_.row, v + i * v_.plane + c, v_.row, count, tile == begin,
                                     sums + i * sums_.plane + o * sums_.row + c, sums_.row);
          }
        }
      }
    }
  }

  Tiles tiles_;
  int64_t inputs_;
  bool few_tiles_;     // and many weights: all tiles are transformed at once, the sums stay in the cache
  bool shares_tiles_;  // among threads
  int64_t channels_;   // output channels of a block
  int64_t tiles_at_once_;
  Rectangles parts_;
  int64_t threads_;  // that have a part of the workspace
  Planes sums_, v_, d_;
};

// Of the forward pass.
Tiles tiles_of(const Conv2dParams& params, const Shape& w, const Shape& y) {
  const Padding& p = params.padding;
  const int64_t taps = w[1];
  const Shape x{y[0], y[1] + taps - 1 - p.top - p.bottom, y[2] + taps - 1 - p.left - p.right, w[3]};
  return {x, y, taps, p};
}

}  // namespace

bool is_winograd(const Conv2dParams& params, const Shape& w, const Shape& y) {
  const Padding& p = params.padding;
  const int64_t taps = w[1];
  if ((taps != 3 && taps != 5) || w[2] != taps || params.stride != 1 ||
      std::max({p.top, p.bottom, p.left, p.right}) > taps - 1 || w[0] % winograd_channels != 0 ||
      w[3] % winograd_channels != 0) {
    return false;
  }
  return 2 * products(y, tiles_of(params, w, y).tile) <= taps * taps * y[1] * y[2];
}

bool has_finishing_kernel(const Conv2dParams& params, const Shape& w, const Shape& y) {
  return is_winograd(params, w, y);
}

bool has_pooling_kernel(const Conv2dParams& params, const Shape& w, const Shape& y) {
  return is_winograd(params, w, y) && tiles_of(params, w, y).tile.outputs % 2 == 0 && std::min(y[1], y[2]) >= 2;
}

PreparedConv2dForward prepare_winograd_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                               const Shape& y, const Conv2dEpilogue& epilogue, bool weights_stay) {
  const int64_t taps = w[1];
  const Tiles tiles(x, y, taps, params.padding);
  const Product product(tiles, {w[0], w[3], taps, taps * taps * w[3], 1, w[3]}, epilogue, weights_stay);
  return {[product](View<const float> x, View<const float> w, View<const float> b, View<float> y,
                    std::byte* workspace) { product.run(x.data, w.data, b.data, y.data, workspace); },
          product.workspace_bytes(), tiles.saved_flops(y), product.kept_bytes(),
          [product](const float* w, std::byte* kept) { product.keep(w, kept); }};
}

PreparedConv2dBackwardData prepare_winograd_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                          const Shape& dx) {
  const Padding& p = params.padding;
  const int64_t taps = w[1];
  const Tiles tiles(dy, dx, taps, {taps - 1 - p.top, taps - 1 - p.bottom, taps - 1 - p.left, taps - 1 - p.right});
  const Product product(tiles, {w[3], w[0], taps, 1, taps * taps * w[3], -w[3]}, {});
  return {[product](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
            product.run(dy.data, w.data, nullptr, dx.data, workspace);
          },
          product.workspace_bytes(), tiles.saved_flops(dy)};
}

PreparedConv2dBackwardWeight prepare_winograd_backward_weight(const Conv2dParams& params, const Shape& x,
                                                              const Shape& dy, const Shape& dw, bool bias) {
  const Tiles tiles(x, dy, dw[1], params.padding);
  const WeightGradient gradient(tiles);
  return {[gradient](View<const float> x, View<const float> dy, View<float> dw, View<float> db, std::byte* workspace) {
            gradient.run(x.data, dy.data, dw.data, workspace);
            if (db.data != nullptr) {
              channel_sum<float>(dy, db, workspace);
            }
          },
          std::max(gradient.workspace_bytes(), bias ? channel_sum_workspace(dw[0]) : 0), tiles.saved_flops(dy)};
}

}  // namespace fer
