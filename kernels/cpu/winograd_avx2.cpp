#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTiles winograd_avx2 = {
    {WinogradFunctions<2, 8>::functions(), WinogradFunctions<3, 8>::functions(), WinogradFunctions<4, 8>::functions()}};

const WinogradTile& winograd_tile(int64_t outputs) {
  const WinogradTiles& tiles = __builtin_cpu_supports("avx512f") ? winograd_avx512 : winograd_avx2;
  return tiles.of[outputs - 2];
}

}  // namespace fer
