#include "data/image_integrity.h"

#include <array>
#include <cstdint>

namespace fer {

namespace {

constexpr std::string_view png_signature = "\x89PNG\r\n\x1A\n";
constexpr std::string_view jpeg_start = "\xFF\xD8";
constexpr std::string_view jpeg_end = "\xFF\xD9";

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

// CRC-32 as PNG has it (ISO 3309, polynomial 0xEDB88320 reflected).
uint32_t checksum(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < entries.size(); ++i) {
      uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit) {
        entry = entry & 1 ? 0xEDB88320 ^ (entry >> 1) : entry >> 1;
      }
      entries[i] = entry;
    }
    return entries;
  }();
  uint32_t value = 0xFFFFFFFF;
  for (char byte : bytes) {
    value = table[(value ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (value >> 8);
  }
  return ~value;
}

std::string png_fault(std::string_view rest) {
  constexpr size_t frame = 12;  // length, type and checksum of a chunk
  while (rest.size() >= frame) {
    const size_t length = big_endian(rest);
    if (length > rest.size() - frame) {
      return "the PNG is cut off";
    }
    const std::string_view type = rest.substr(4, 4);
    if (checksum(rest.substr(4, 4 + length)) != big_endian(rest.substr(8 + length))) {
      return "the PNG is corrupt: wrong checksum in chunk " + std::string(type);
    }
    if (type == "IEND") {
      return "";
    }
    rest.remove_prefix(frame + length);
  }
  return "the PNG is cut off";
}

}  // namespace

std::string image_fault(std::string_view file) {
  if (file.empty()) {
    return "the file is empty";
  }
  if (file.starts_with(png_signature)) {
    return png_fault(file.substr(png_signature.size()));
  }
  if (file.starts_with(jpeg_start)) {
    return file.find(jpeg_end) == std::string_view::npos ? "the JPEG is cut off" : "";
  }
  return "neither PNG nor JPEG";
}

}  // namespace fer
