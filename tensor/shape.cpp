#include "tensor/shape.h"

#include "tensor/error.h"

namespace fer {

Shape::Shape(std::initializer_list<int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const int64_t> extents) {
  if (extents.size() > max_rank) {
    fail("shape: ", extents.size(), " dimensions, at most ", max_rank, " are supported");
  }
  int64_t size = 1;
  for (int64_t extent : extents) {
    if (extent < 0) {
      fail("shape: extent ", extent, " in dimension ", rank_, " is negative");
    }
    if (__builtin_mul_overflow(size, extent, &size)) {
      fail("shape: more elements than 2^63 - 1");
    }
    extents_[static_cast<size_t>(rank_++)] = extent;
  }
}

int Shape::axis_index(int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_) {
    fail("shape: no dimension ", axis, " in ", to_string(*this));
  }
  return index;
}

int64_t Shape::operator[](int axis) const { return extents_[static_cast<size_t>(axis_index(axis))]; }

int64_t Shape::size() const {
  int64_t size = 1;
  for (int64_t extent : extents()) {
    size *= extent;
  }
  return size;
}

Shape Shape::with(int axis, int64_t extent) const {
  Shape result = *this;
  result.extents_[static_cast<size_t>(axis_index(axis))] = extent;
  return result;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int64_t extent : shape.extents()) {
    if (text.size() > 1) {
      text += ',';
    }
    text += std::to_string(extent);
  }
  return text + "]";
}

}  // namespace fer
