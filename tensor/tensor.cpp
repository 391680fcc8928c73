#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

namespace fer {

Tensor::Tensor(DType dtype, Shape shape) : view_{nullptr, dtype, shape} {
  auto block = std::make_shared<Block>(std::max<int64_t>(view_.bytes(), 1));
  view_.data = block->data();
  owner_ = block;
}

Tensor::Tensor(AnyView view, std::shared_ptr<const void> owner) : view_(view), owner_(std::move(owner)) {}

Tensor Tensor::clone() const {
  Tensor copy(dtype(), shape());
  std::memcpy(copy.view_.data, view_.data, static_cast<size_t>(bytes()));
  return copy;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (shape.size() != size()) {
    fail("tensor: cannot reshape ", this->shape(), " to ", shape);
  }
  return Tensor({view_.data, view_.dtype, shape}, owner_);
}

namespace {

template <class Function>
void with_type(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::f64:
      return function(double{});
    case DType::f32:
      return function(float{});
    case DType::i64:
      return function(int64_t{});
    case DType::i32:
      return function(int32_t{});
    case DType::u8:
      return function(uint8_t{});
    default:
      fail("tensor: cannot convert from or to ", dtype);
  }
}

}  // namespace

Tensor Tensor::converted(DType dtype) const {
  Tensor result(dtype, shape());
  with_type(this->dtype(), [&](auto from) {
    with_type(dtype, [&](auto to) {
      std::transform(data<decltype(from)>(), data<decltype(from)>() + size(), result.data<decltype(to)>(),
                     [](auto element) { return static_cast<decltype(to)>(element); });
    });
  });
  return result;
}

}  // namespace fer
