// kernels/optimizer.h on the GPU: all parameters of a network in one launch. Parameters and moments are float; each
// gradient is float or bf16; a parameter may have a bf16 copy for matrix products, kept up to date here.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/build.h"
#include "kernels/cuda/stream.h"
#include "kernels/optimizer.h"

namespace fer::cuda {

// One tensor of an update; what it has not is null. The table of a network is made on the host and copied to the device
// once: addresses never change.
struct OptimizerEntry {
  float* parameter = nullptr;
  const float* gradient = nullptr;  // one of the two
  const bf16* half_gradient = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  bf16* copy = nullptr;
  int64_t size = 0;
  int64_t first_pack = 0;  // set by number_packs
};

inline namespace FER_CUDA_BUILD {

// Numbers the groups of elements that one thread updates, through all entries; returns how many there are.
int64_t number_packs(std::span<OptimizerEntry> entries);

// One step. In device memory: learning_rate; state [2] and `advances` as the CPU's; `entries`, numbered, `packs` groups
// in all. `workspace`: optimizer_workspace_bytes(). `reference`: one element at a time.
int64_t optimizer_workspace_bytes();
void optimizer_update(const OptimizerParams& params, const float* learning_rate, double* state,
                      std::span<const OptimizerEntry> entries, int64_t packs, std::byte* workspace, Stream stream,
                      bool reference = false, bool advances = true);

// Brings the entries' bf16 copies up to date.
void copy_parameters(std::span<const OptimizerEntry> entries, int64_t packs, Stream stream, bool reference = false);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
