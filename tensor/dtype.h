// Element types of tensors, and of the tensors in safetensors files.
#pragma once

#include <cstdint>
#include <ostream>
#include <string_view>

#include "tensor/error.h"

namespace fer {

enum class DType : uint8_t { f64, f32, f16, bf16, i64, u64, i32, u32, i16, u16, i8, u8, boolean };

// Bytes of one element.
int64_t size_of(DType dtype);

// "f32", "u8", …
std::string_view name_of(DType dtype);

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

// The DType of a C++ scalar that kernels compute with.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}

// Calls `function` with a value of the scalar type that `dtype` names: float (what runs) or double (what
// gradient checks run). `who` names the caller in the error for any other type.
template <class Function>
decltype(auto) with_float_type(std::string_view who, DType dtype, Function&& function) {
  switch (dtype) {
    case DType::f32:
      return function(float{});
    case DType::f64:
      return function(double{});
    default:
      fail(who, ": computes in f32 or f64, not ", dtype);
  }
}

}  // namespace fer
