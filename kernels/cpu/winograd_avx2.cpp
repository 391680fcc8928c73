#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTile winograd_avx2[] = {WinogradFunctions<4, 4>::functions(), WinogradFunctions<5, 4>::functions(),
                                          WinogradFunctions<6, 4>::functions()};

const WinogradTile& winograd_tile(int64_t outputs) {
  const auto& tiles = __builtin_cpu_supports("avx512f") ? winograd_avx512 : winograd_avx2;
  return tiles[outputs - 4];
}

}  // namespace fer
