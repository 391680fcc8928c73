// Compiled for AVX-512 whatever the rest is compiled for: run only where the processor has it.
#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTiles winograd_avx512 = {
    {WinogradFunctions<2, 3, 16>::functions(), WinogradFunctions<3, 3, 16>::functions(),
     WinogradFunctions<4, 3, 16>::functions(), WinogradFunctions<2, 5, 16>::functions()}};

}  // namespace fer
