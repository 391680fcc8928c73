// Compiled for AVX-512 whatever the rest is compiled for: run only where the processor has it.
#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTiles winograd_avx512 = {
    {WinogradFunctions<4, double, 8>::functions(), WinogradFunctions<5, double, 8>::functions(),
     WinogradFunctions<6, double, 8>::functions()},
    {WinogradFunctions<4, float, 16>::functions()}};

}  // namespace fer
