// The safetensors container: u64 little-endian header length, JSON header, data. The one format of Ferrotype's
// weights, checkpoints, data sets and adversarial sets.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tensor/tensor.h"

namespace fer {

struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  // Throws naming the tensor and `source` when it is not there.
  const Tensor& at(const std::string& name) const;
  bool contains(const std::string& name) const { return tensors.count(name) != 0; }

  // The file it was read from, for messages; empty when made in memory.
  std::filesystem::path source;
};

// Maps the file; tensors point into the mapping (read-only: clone before writing), except those whose data is not
// aligned to their element size, which are copied. Throws Error naming the file and the fault: too short, header not
// JSON, duplicate key, unknown dtype, gap, overlap, size that does not fit shape, trailing bytes, bad UTF-8.
TensorFile read_safetensors(const std::filesystem::path& path);

// Writes through AtomicFile: tensors by descending element size, then by name; the header padded to 8 bytes.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace fer
