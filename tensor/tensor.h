// Tensors that own host memory: weights, data sets, results.
#pragma once

#include <memory>

#include "tensor/memory.h"
#include "tensor/view.h"

namespace fer {

// A typed, shaped, shared block of host memory (copying a Tensor shares it; clone() copies the elements).
class Tensor {
 public:
  Tensor() = default;

  // Zeros.
  Tensor(DType dtype, Shape shape);

  // Elements that live elsewhere, a memory-mapped file for instance; `owner` keeps them alive.
  Tensor(AnyView view, std::shared_ptr<const void> owner);

  template <class T>
  static Tensor from(Shape shape, const T* elements);

  DType dtype() const { return view_.dtype; }
  const Shape& shape() const { return view_.shape; }
  int64_t size() const { return view_.size(); }
  int64_t bytes() const { return view_.bytes(); }
  bool empty() const { return view_.data == nullptr; }

  AnyView view() const { return view_; }
  template <class T>
  View<T> as() const {
    return view_.as<T>();
  }
  template <class T>
  T* data() const {
    return view_.as<T>().data;
  }

  Tensor clone() const;

  // The same elements under another shape of equal size.
  Tensor reshaped(Shape shape) const;

  // A copy converted to `dtype` (between f32, f64, u8, i32, i64; others throw).
  Tensor converted(DType dtype) const;

 private:
  AnyView view_;
  std::shared_ptr<const void> owner_;
};

template <class T>
Tensor Tensor::from(Shape shape, const T* elements) {
  Tensor result(dtype_of<T>(), shape);
  std::copy(elements, elements + shape.size(), result.data<T>());
  return result;
}

}  // namespace fer
