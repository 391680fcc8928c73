#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTiles winograd_avx2 = {
    {WinogradFunctions<2, 3, 8>::functions(), WinogradFunctions<3, 3, 8>::functions(),
     WinogradFunctions<4, 3, 8>::functions(), WinogradFunctions<2, 5, 8>::functions()}};

const WinogradTile& winograd_tile(int64_t outputs, int64_t taps) {
  const WinogradTiles& tiles = __builtin_cpu_supports("avx512f") ? winograd_avx512 : winograd_avx2;
  return tiles.of[taps == 5 ? 3 : outputs - 2];
}

}  // namespace fer
