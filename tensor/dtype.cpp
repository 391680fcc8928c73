#include "tensor/dtype.h"

namespace fer {

int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
    case DType::u64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  fail("size_of: no such dtype ", static_cast<int>(dtype));
}

std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {"f64", "f32", "f16", "bf16", "i64", "u64",    "i32",
                                        "u32", "i16", "u16", "i8",   "u8",  "boolean"};
  return names[static_cast<int>(dtype)];
}

}  // namespace fer
