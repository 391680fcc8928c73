#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTiles winograd_avx2 = {
    {WinogradFunctions<4, double, 4>::functions(), WinogradFunctions<5, double, 4>::functions(),
     WinogradFunctions<6, double, 4>::functions()},
    {WinogradFunctions<4, float, 8>::functions()}};

template <class T>
const WinogradTile<T>& winograd_tile(int64_t outputs) {
  const WinogradTiles& tiles = __builtin_cpu_supports("avx512f") ? winograd_avx512 : winograd_avx2;
  if constexpr (sizeof(T) == sizeof(double)) {
    return tiles.doubles[outputs - 4];
  } else {
    return tiles.floats[outputs - 4];
  }
}

template const WinogradTile<double>& winograd_tile(int64_t);
template const WinogradTile<float>& winograd_tile(int64_t);

}  // namespace fer
