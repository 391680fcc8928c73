// Views: a pointer and a shape. They own nothing; kernels and executors pass them around.
#pragma once

#include <type_traits>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace fer {

// Contiguous elements of type T in row-major order (images: NHWC).
template <class T>
struct View {
  T* data = nullptr;
  Shape shape;

  int64_t size() const { return shape.size(); }
  int64_t operator[](int axis) const { return shape[axis]; }
  T* begin() const { return data; }
  T* end() const { return data + size(); }
  operator View<const T>() const { return {data, shape}; }
};

// The same, with the element type known only at run time.
struct AnyView {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  int64_t size() const { return shape.size(); }
  int64_t bytes() const { return size() * size_of(dtype); }

  // The typed view; throws when T is not the view's type.
  template <class T>
  View<T> as() const {
    using Scalar = std::remove_const_t<T>;
    if (dtype != dtype_of<Scalar>()) {
      fail("view: holds ", dtype, ", asked for ", dtype_of<Scalar>());
    }
    return {static_cast<T*>(data), shape};
  }
};

}  // namespace fer
