// The extents of a tensor, outermost dimension first.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string>

namespace fer {

// Up to eight extents of zero or more; a scalar has none. Images are [N, H, W, C].
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }

  // Extent of dimension `axis`; a negative axis counts from the last. Throws when out of range.
  int64_t operator[](int axis) const;

  // Product of the extents; 1 for a scalar.
  int64_t size() const;

  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }

  // The same shape with extent `axis` replaced.
  Shape with(int axis, int64_t extent) const;

  bool operator==(const Shape& other) const = default;

 private:
  int axis_index(int axis) const;

  std::array<int64_t, max_rank> extents_{};
  int rank_ = 0;
};

// "[8,48,48,3]"
std::string to_string(const Shape& shape);

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

}  // namespace fer
