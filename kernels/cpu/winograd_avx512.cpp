// Compiled for AVX-512 whatever the rest is compiled for: run only where the processor has it.
#include "kernels/cpu/winograd_tile_inline.h"

namespace fer {

constexpr WinogradTile winograd_avx512[] = {WinogradFunctions<4, 8>::functions(), WinogradFunctions<5, 8>::functions(),
                                            WinogradFunctions<6, 8>::functions()};

}  // namespace fer
