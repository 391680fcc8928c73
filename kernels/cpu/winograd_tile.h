// What is done to one tile of Winograd's convolution, or to a few, for the instruction set at hand. Channels are
// multiples of winograd_channels. `plane` is the distance between neighbouring elements of a transformed tile.
#pragma once

#include <cstdint>

namespace fer {

constexpr int64_t winograd_channels = 32;
constexpr int64_t winograd_tiles = 6;  // that are multiplied at a time
// Products summed in registers before they join the rest in memory: what a sum loses grows with its length.
constexpr int64_t winograd_chunk = 32;

struct WinogradWeights {
  const float* data;                    // tap 0 of the first output channel and the first input channel
  int64_t output_stride, input_stride;  // between channels; one of them is 1
  int64_t tap_stride;                   // between taps; negative: in reverse
};

struct WinogradResult {
  const float* bias;  // or null
  bool add;           // what the pixels hold already
  float low, high;    // what the result is clamped to
  bool streamed;      // past the caches
  // Then (result - mean) factor + beta, unless these are null.
  const float *mean = nullptr, *factor = nullptr, *beta = nullptr;
  // The largest of each 2x2 are what is stored, to pixels [outputs / 2][outputs / 2]; outputs is even.
  bool pooled = false;
};

struct WinogradTile {
  int64_t outputs;  // pixels made, of a side
  int64_t taps;     // of a kernel's side
  int64_t inputs;   // pixels read, of a side
  int64_t points;   // numbers of a side, transformed
  int64_t panel;    // output channels of a register tile
  int64_t factors;  // cotangent channels of a register tile of the weight gradient
  bool streams;     // registers are lines, which may go past the caches

  // v = B^T d B, of pixels [inputs][inputs].
  void (*input)(const float* const* pixels, int64_t channels, float* v, int64_t plane);
  // d = A dy A^T, of pixels [outputs][outputs].
  void (*cotangent)(const float* const* pixels, int64_t channels, float* d, int64_t plane);
  // u [winograd_channels][panel] = G g G^T, of so many input and output channels; all of its rows begin at multiples of
  // 64 bytes. `shared`: where all threads read weights, a core that stored new ones over them would wait for the
  // others' caches, so they go past those.
  void (*weights)(const WinogradWeights& weights, bool shared, float* u, int64_t plane);
  // pixels [outputs][outputs] (null: outside the image) = A^T m A, finished.
  void (*output)(const float* m, int64_t plane, int64_t channels, const WinogradResult& result, float* const* pixels);
  // dw, taps `tap_stride` apart, = G^T m G; past the caches where it begins a line: threads have parts of the same
  // rows.
  void (*weight_gradient)(const float* m, int64_t plane, int64_t channels, float* dw, int64_t tap_stride);

  // m [tiles][panel] = v [tiles][depth] u [depth][panel]; tiles is a multiple of winograd_tiles.
  void (*multiply)(const float* v, int64_t v_row, int64_t tiles, const float* u, int64_t depth, float* m,
                   int64_t m_row);
  // sums [factors][panel] += d [tiles][factors]^T v [tiles][panel]; `first`: put there.
  void (*add_products)(const float* d, int64_t d_row, const float* v, int64_t v_row, int64_t tiles, bool first,
                       float* sums, int64_t sums_row);
};

// F(2x2, 3x3), F(3x3, 3x3), F(4x4, 3x3) and F(2x2, 5x5); the same bits from each instruction set.
struct WinogradTiles {
  WinogradTile of[4];
};
extern const WinogradTiles winograd_avx2, winograd_avx512;
const WinogradTile& winograd_tile(int64_t outputs, int64_t taps);

}  // namespace fer
