// Which plan cuDNN makes of a convolution.
#pragma once

#include <filesystem>
#include <string>

#include "kernels/cuda/products.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

// The GPU that plans are made for: this machine's, or where there is a description (cuDNN's JSON of device properties)
// what that says, for which no GPU is needed.
struct PlannedGpu {
  std::string description;
  std::string name;              // what plans that are kept are kept for
  std::filesystem::path folder;  // where plans are kept for the next start; empty: nowhere
};

// Throws, saying why, when cuDNN is not there or knows no plan that fits.
PreparedProduct plan_convolution(const ConvolutionProduct& product, const PlannedGpu& gpu);

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
