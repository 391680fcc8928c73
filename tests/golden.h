// Reading the golden files: PyTorch's layouts on disk, Ferrotype's in memory.
#pragma once

#include <filesystem>

#include "tensor/safetensors.h"

namespace fer::test {

// tests/goldens, or the folder that FER_GOLDENS names.
std::filesystem::path goldens();

// NCHW to NHWC and back; other ranks unchanged.
Tensor to_nhwc(const Tensor& tensor);

// |a - b| / |b| over all elements.
double relative_distance(const Tensor& a, const Tensor& b);

}  // namespace fer::test
