#include "kernels/cpu/conv2d_winograd.h"

#include <algorithm>

#include "kernels/channel_sum.h"
#include "kernels/cpu/winograd.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

constexpr int64_t lanes = Wide<double>::width;
constexpr int64_t panel = 2 * lanes;   // channels of a register tile
constexpr int64_t rows = 6;            // tiles of a register tile
constexpr int64_t pad = 64 / sizeof(double);  // keeps neighbouring planes and rows in different sets of the cache

int64_t bytes(int64_t count, size_t size) { return round_up(count * static_cast<int64_t>(size), memory_alignment); }

Doubles load_floats(const float* from) {
  typedef float Floats __attribute__((vector_size(16)));
  Floats values;
  __builtin_memcpy(&values, from, sizeof values);
  return __builtin_convertvector(values, Doubles);
}

// Images cut into tiles of `outputs` x `outputs` results, each made from `inputs` x `inputs` pixels around them.
struct Tiles {
  Shape from, to;  // [N,H,W,C] that is read, [N,OH,OW,K] that is made
  int64_t top, left;
  int64_t outputs;

  int64_t down() const { return (to[1] + outputs - 1) / outputs; }
  int64_t across() const { return (to[2] + outputs - 1) / outputs; }
  int64_t count() const { return from[0] * down() * across(); }
};

// Calls body(i, j, offset) for the elements of a tile's square of `side` x `side` pixels of images of `shape`, whose
// first pixel is (row, column) of image n; offset is -1 outside the image.
template <class Body>
void for_square(const Shape& shape, int64_t n, int64_t row, int64_t column, int64_t side, Body&& body) {
  for (int64_t i = 0; i < side; ++i) {
    for (int64_t j = 0; j < side; ++j) {
      const int64_t r = row + i, c = column + j;
      const bool inside = r >= 0 && r < shape[1] && c >= 0 && c < shape[2];
      body(i * side + j, inside ? ((n * shape[1] + r) * shape[2] + c) * shape[3] : -1);
    }
  }
}

// A matrix for each of a transformed tile's elements: [count][rows][columns], rows and matrices padded.
struct Planes {
  int64_t row, plane;
  Planes(int64_t rows, int64_t columns) : row(columns + pad), plane(rows * row + pad) {}
};

template <int m>
struct Squares {
  static constexpr int outputs = Winograd<m>::outputs, inputs = Winograd<m>::inputs, count = inputs * inputs;

  // v [count][tiles][channels] = B^T d B of tiles first … first + tiles - 1.
  static void input(const Tiles& tiles, const float* x, const float* zeros, int64_t first, int64_t begin, int64_t end,
                    const Planes& planes, double* v) {
    const int64_t channels = tiles.from[3];
    for (int64_t t = begin; t < end; ++t) {
      const float* pixels[count];
      const int64_t tile = first + t;
      for_square(tiles.from, tile / (tiles.down() * tiles.across()),
                 tile / tiles.across() % tiles.down() * outputs - tiles.top,
                 tile % tiles.across() * outputs - tiles.left, inputs,
                 [&](int64_t i, int64_t offset) { pixels[i] = offset < 0 ? zeros : x + offset; });
      double* const to = v + t * planes.row;
      for (int64_t c = 0; c < channels; c += lanes) {
        transform_rows_and_columns<inputs, inputs>(
            Winograd<m>::input, [&](int i, int j) { return load_floats(pixels[i * inputs + j] + c); },
            [&](int i, int j, Doubles value) { Wide<double>::store(to + (i * inputs + j) * planes.plane + c, value); });
      }
    }
  }

  // d [count][tiles][channels] = A dy A^T.
  static void cotangent(const Tiles& tiles, const float* dy, const float* zeros, int64_t first, int64_t begin,
                        int64_t end, int64_t first_channel, int64_t channels, const Planes& planes, double* d) {
    for (int64_t t = begin; t < end; ++t) {
      const float* pixels[outputs * outputs];
      const int64_t tile = first + t;
      for_square(tiles.to, tile / (tiles.down() * tiles.across()), tile / tiles.across() % tiles.down() * outputs,
                 tile % tiles.across() * outputs, outputs, [&](int64_t i, int64_t offset) {
                   pixels[i] = offset < 0 ? zeros : dy + offset + first_channel;
                 });
      double* const to = d + t * planes.row;
      for (int64_t c = 0; c < channels; c += lanes) {
        transform_rows_and_columns<outputs, inputs>(
            Winograd<m>::cotangent, [&](int i, int j) { return load_floats(pixels[i * outputs + j] + c); },
            [&](int i, int j, Doubles value) { Wide<double>::store(to + (i * inputs + j) * planes.plane + c, value); });
      }
    }
  }
};

// m [rows][panel] = v [rows][depth] u [depth][panel], on register tiles.
void multiply(const double* v, int64_t v_row, const double* u, int64_t depth, double* m, int64_t m_row) {
  Doubles low[rows] = {}, high[rows] = {};
  for (int64_t c = 0; c < depth; ++c, u += panel) {
    const Doubles u_low = Wide<double>::load(u), u_high = Wide<double>::load(u + lanes);
#pragma GCC unroll 6
    for (int64_t r = 0; r < rows; ++r) {
      const double factor = v[r * v_row + c];
      low[r] += factor * u_low;
      high[r] += factor * u_high;
    }
  }
#pragma GCC unroll 6
  for (int64_t r = 0; r < rows; ++r) {
    Wide<double>::store(m + r * m_row, low[r]);
    Wide<double>::store(m + r * m_row + lanes, high[r]);
  }
}

// What makes the transformed weights: u of output channel `o` and input channel `c` at tap (i, j) is
// w[o * output_stride + c * input_stride + tap offset], taps in reverse for the data gradient.
struct Weights {
  int64_t outputs, inputs;
  int64_t output_stride, input_stride, tap_stride;
  bool reversed;
};

// u [count][panels][inputs][panel] = G g G^T of output channels first … first + channels - 1.
template <int m>
void transform_weights(const Weights& weights, const float* w, int64_t first, int64_t channels, int64_t plane,
                       double* u) {
  constexpr int size = Winograd<m>::inputs;
  parallel_for(channels / panel * weights.inputs, 16, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t c = index % weights.inputs, output = first + index / weights.inputs * panel;
      for (int64_t half = 0; half < panel; half += lanes) {
        const float* const from = w + (output + half) * weights.output_stride + c * weights.input_stride;
        double* const to = u + index * panel + half;
        transform_rows_and_columns<3, size>(
            Winograd<m>::weights,
            [&](int i, int j) {
              const float* const tap = from + (weights.reversed ? 8 - i * 3 - j : i * 3 + j) * weights.tap_stride;
              const int64_t stride = weights.output_stride;
              return Doubles{tap[0], tap[stride], tap[2 * stride], tap[3 * stride]};
            },
            [&](int i, int j, Doubles value) { Wide<double>::store(to + (i * size + j) * plane, value); });
      }
    }
  });
}

// Convolution as both the forward pass and the data gradient have it.
template <int m>
struct Product {
  using Square = Squares<m>;
  static constexpr int64_t count = Square::count;

  Product(const Tiles& tiles, const Weights& weights, const Conv2dEpilogue& epilogue)
      : tiles(tiles),
        weights(weights),
        epilogue(epilogue),
        channels(std::clamp<int64_t>(weight_bytes_at_once / (count * weights.inputs * panel * 8), 1,
                                     weights.outputs / panel) *
                 panel),
        tiles_at_once(std::max(rows, tile_bytes_at_once / (count * (weights.inputs + channels) * 8) / rows * rows)),
        u_plane(weights.inputs * channels + pad),
        v_planes(tiles_at_once, weights.inputs),
        m_planes(tiles_at_once, channels),
        zeros(bytes(count * u_plane, sizeof(double))),
        threads(zeros + bytes(weights.inputs, sizeof(float))),
        v_bytes(bytes(count * v_planes.plane, sizeof(double))),
        thread_bytes(v_bytes + bytes(count * m_planes.plane, sizeof(double))) {}

  static constexpr int64_t weight_bytes_at_once = 9 << 20, tile_bytes_at_once = 3 << 19;

  void run(const float* x, const float* w, const float* bias, float* y, std::byte* workspace) const {
    double* const u = reinterpret_cast<double*>(workspace);
    float* const zero_pixel = reinterpret_cast<float*>(workspace + zeros);
    std::fill_n(zero_pixel, weights.inputs, 0.0F);
    for (int64_t first = 0; first < weights.outputs; first += channels) {
      const int64_t outputs = std::min(channels, weights.outputs - first);
      transform_weights<m>(weights, w, first, outputs, u_plane, u);
      parallel_parts(tiles.count(), rows, [&](int64_t begin, int64_t end, int part) {
        double* const v = reinterpret_cast<double*>(workspace + threads + part * thread_bytes);
        double* const products = reinterpret_cast<double*>(workspace + threads + part * thread_bytes + v_bytes);
        for (int64_t tile = begin; tile < end; tile += tiles_at_once) {
          const int64_t now = std::min(tiles_at_once, end - tile);
          Square::input(tiles, x, zero_pixel, tile, 0, now, v_planes, v);
          for (int64_t f = 0; f < count; ++f) {
            for (int64_t o = 0; o < outputs; o += panel) {
              // The rows past `now` hold whatever was there; nobody reads their products.
              for (int64_t t = 0; t < now; t += rows) {
                multiply(v + f * v_planes.plane + t * v_planes.row, v_planes.row,
                         u + f * u_plane + o * weights.inputs, weights.inputs,
                         products + f * m_planes.plane + t * m_planes.row + o, m_planes.row);
              }
            }
          }
          output(products, tile, now, bias, y, first, outputs);
        }
      });
    }
  }

  // y = A^T m A of tiles first … first + now - 1, channels first_channel … first_channel + outputs - 1.
  void output(const double* products, int64_t first, int64_t now, const float* bias, float* y, int64_t first_channel,
              int64_t outputs) const {
    constexpr int side = Square::outputs, size = Square::inputs;
    typedef float Floats __attribute__((vector_size(16)));
    const ClampRange range = *clamp_range(epilogue.activation);
    for (int64_t t = 0; t < now; ++t) {
      float* pixels[side * side];
      const int64_t tile = first + t;
      for_square(tiles.to, tile / (tiles.down() * tiles.across()), tile / tiles.across() % tiles.down() * side,
                 tile % tiles.across() * side, side,
                 [&](int64_t i, int64_t offset) { pixels[i] = offset < 0 ? nullptr : y + offset + first_channel; });
      const double* const from = products + t * m_planes.row;
      for (int64_t o = 0; o < outputs; o += lanes) {
        const Doubles start = bias == nullptr ? Doubles{} : load_floats(bias + first_channel + o);
        transform_rows_and_columns<size, side>(
            Winograd<m>::output,
            [&](int i, int j) { return Wide<double>::load(from + (i * size + j) * m_planes.plane + o); },
            [&](int i, int j, Doubles value) {
              float* const to = pixels[i * side + j];
              if (to != nullptr) {
                const Doubles sum = start + value + (epilogue.add ? load_floats(to + o) : Doubles{});
                Floats result = __builtin_convertvector(sum, Floats);
                result = result < range.low ? Floats{} + range.low : result;
                result = result > range.high ? Floats{} + range.high : result;
                __builtin_memcpy(to + o, &result, sizeof result);
              }
            });
      }
    }
  }

  Tiles tiles;
  Weights weights;
  Conv2dEpilogue epilogue;
  int64_t channels;       // output channels whose weights are transformed at a time
  int64_t tiles_at_once;  // of a thread
  int64_t u_plane;
  Planes v_planes, m_planes;
  int64_t zeros, threads, v_bytes, thread_bytes;  // where the workspace's parts begin, after the weights
  int64_t workspace_bytes() const { return threads + thread_bytes * thread_count(); }
};

// acc [4][panel] += d^T v over `count` tiles; `first`: put there.
void add_outer_products(const double* d, int64_t d_row, const double* v, int64_t v_row, int64_t count, bool first,
                        double* acc, int64_t acc_row) {
  Doubles low[lanes] = {}, high[lanes] = {};
  if (!first) {
#pragma GCC unroll 4
    for (int64_t r = 0; r < lanes; ++r) {
      low[r] = Wide<double>::load(acc + r * acc_row);
      high[r] = Wide<double>::load(acc + r * acc_row + lanes);
    }
  }
  for (int64_t t = 0; t < count; ++t) {
    const Doubles v_low = Wide<double>::load(v + t * v_row), v_high = Wide<double>::load(v + t * v_row + lanes);
#pragma GCC unroll 4
    for (int64_t r = 0; r < lanes; ++r) {
      const double factor = d[t * d_row + r];
      low[r] += factor * v_low;
      high[r] += factor * v_high;
    }
  }
#pragma GCC unroll 4
  for (int64_t r = 0; r < lanes; ++r) {
    Wide<double>::store(acc + r * acc_row, low[r]);
    Wide<double>::store(acc + r * acc_row + lanes, high[r]);
  }
}

template <int m>
struct WeightGradient {
  using Square = Squares<m>;
  static constexpr int64_t count = Square::count;
  static constexpr int64_t sum_bytes_at_once = 9 << 20, tile_bytes_at_once = 6 << 20;

  WeightGradient(const Tiles& tiles)
      : tiles(tiles),
        inputs(tiles.from[3]),
        channels(std::clamp<int64_t>(sum_bytes_at_once / (count * inputs * panel * 8), 1, tiles.to[3] / panel) * panel),
        tiles_at_once(std::clamp<int64_t>(tile_bytes_at_once / (count * (inputs + channels) * 8), 8, tiles.count())),
        v_planes(tiles_at_once, inputs),
        d_planes(tiles_at_once, channels),
        sums(channels, inputs),
        v(bytes(count * sums.plane, sizeof(double))),
        d(v + bytes(count * v_planes.plane, sizeof(double))),
        zeros(d + bytes(count * d_planes.plane, sizeof(double))),
        spare(zeros + bytes(std::max(inputs, channels), sizeof(float))) {}

  void run(const float* x, const float* dy, float* dw, std::byte* workspace) const {
    double* const acc = reinterpret_cast<double*>(workspace);
    double* const v_data = reinterpret_cast<double*>(workspace + v);
    double* const d_data = reinterpret_cast<double*>(workspace + d);
    float* const zero_pixel = reinterpret_cast<float*>(workspace + zeros);
    std::fill_n(zero_pixel, std::max(inputs, channels), 0.0F);
    for (int64_t first = 0; first < tiles.to[3]; first += channels) {
      const int64_t outputs = std::min(channels, tiles.to[3] - first);
      for (int64_t tile = 0; tile < tiles.count(); tile += tiles_at_once) {
        const int64_t now = std::min(tiles_at_once, tiles.count() - tile);
        parallel_for(now, 1, [&](int64_t begin, int64_t end) {
          if (first == 0 || tiles_at_once < tiles.count()) {
            Square::input(tiles, x, zero_pixel, tile, begin, end, v_planes, v_data);
          }
          Square::cotangent(tiles, dy, zero_pixel, tile, begin, end, first, outputs, d_planes, d_data);
        });
        parallel_for(count, 1, [&](int64_t begin, int64_t end) {
          for (int64_t f = begin; f < end; ++f) {
            for (int64_t c = 0; c < inputs; c += panel) {
              for (int64_t o = 0; o < outputs; o += lanes) {
                add_outer_products(d_data + f * d_planes.plane + o, d_planes.row, v_data + f * v_planes.plane + c,
                                   v_planes.row, now, tile == 0, acc + f * sums.plane + o * sums.row + c, sums.row);
              }
            }
          }
        });
      }
      constexpr int size = Square::inputs;
      parallel_for(outputs, 1, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
          for (int64_t c = 0; c < inputs; c += lanes) {
            const double* const from = acc + o * sums.row + c;
            float* const to = dw + (first + o) * 9 * inputs + c;
            transform_rows_and_columns<size, 3>(
                Winograd<m>::weight_gradient,
                [&](int i, int j) { return Wide<double>::load(from + (i * size + j) * sums.plane); },
                [&](int i, int j, Doubles value) {
                  typedef float Floats __attribute__((vector_size(16)));
                  const Floats result = __builtin_convertvector(value, Floats);
                  __builtin_memcpy(to + (i * 3 + j) * inputs, &result, sizeof result);
                });
          }
        }
      });
    }
  }

  Tiles tiles;
  int64_t inputs;
  int64_t channels, tiles_at_once;
  Planes v_planes, d_planes, sums;
  int64_t v, d, zeros, spare;
};

// Outputs of a tile's side: 6, 4, or 0 where neither saves enough.
int64_t best_outputs(const Shape& y) {
  const auto products = [&](int64_t outputs) {
    const int64_t tiles = ((y[1] + outputs - 1) / outputs) * ((y[2] + outputs - 1) / outputs);
    return tiles * (outputs + 2) * (outputs + 2);
  };
  const int64_t four = products(4), six = products(6);
  const int64_t least = std::min(four, six);
  return 3 * least > y[1] * y[2] * 9 ? 0 : (six <= four ? 6 : 4);
}

}  // namespace

bool is_winograd(const Conv2dParams& params, const Shape& w, const Shape& y) {
  const Padding& p = params.padding;
  return w[1] == 3 && w[2] == 3 && params.stride == 1 && std::max({p.top, p.bottom, p.left, p.right}) <= 2 &&
         w[0] % panel == 0 && w[3] % panel == 0 && w[0] >= 16 && w[3] >= 16 && best_outputs(y) != 0;
}

// Calls body(integral constant of outputs).
template <class Body>
auto with_outputs(int64_t outputs, Body&& body) {
  return outputs == 6 ? body(std::integral_constant<int, 6>{}) : body(std::integral_constant<int, 4>{});
}

PreparedConv2dForward prepare_winograd_forward(const Conv2dParams& params, const Shape& x, const Shape& w,
                                               const Shape& y, const Conv2dEpilogue& epilogue) {
  return with_outputs(best_outputs(y), [&](auto m) -> PreparedConv2dForward {
    const Tiles tiles{x, y, params.padding.top, params.padding.left, m};
    const Product<m> product(tiles, {w[0], w[3], 9 * w[3], 1, w[3], false}, epilogue);
    return {[product](View<const float> x, View<const float> w, View<const float> b, View<float> y,
                      std::byte* workspace) { product.run(x.data, w.data, b.data, y.data, workspace); },
            product.workspace_bytes()};
  });
}

PreparedConv2dBackwardData prepare_winograd_backward_data(const Conv2dParams& params, const Shape& w, const Shape& dy,
                                                          const Shape& dx) {
  return with_outputs(best_outputs(dy), [&](auto m) -> PreparedConv2dBackwardData {
    const Tiles tiles{dy, dx, 2 - params.padding.top, 2 - params.padding.left, m};
    const Product<m> product(tiles, {w[3], w[0], 1, 9 * w[3], w[3], true}, {});
    return {[product](View<const float> w, View<const float> dy, View<float> dx, std::byte* workspace) {
              product.run(dy.data, w.data, nullptr, dx.data, workspace);
            },
            product.workspace_bytes()};
  });
}

PreparedConv2dBackwardWeight prepare_winograd_backward_weight(const Conv2dParams& params, const Shape& x,
                                                              const Shape& dy, const Shape& dw, bool bias) {
  return with_outputs(best_outputs(dy), [&](auto m) -> PreparedConv2dBackwardWeight {
    const WeightGradient<m> gradient({x, dy, params.padding.top, params.padding.left, m});
    return {[gradient](View<const float> x, View<const float> dy, View<float> dw, View<float> db,
                       std::byte* workspace) {
              gradient.run(x.data, dy.data, dw.data, workspace);
              if (db.data != nullptr) {
                channel_sum<float>(dy, db, workspace);
              }
            },
            std::max(gradient.spare, bias ? channel_sum_workspace(dw[0]) : 0)};
  });
}

}  // namespace fer
