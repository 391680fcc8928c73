// e^x as a formula that compilers turn into vector code; the C library's is a call for every element.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/host_device.h"

namespace fer {

FER_HOST_DEVICE inline double exponential(double x) { return std::exp(x); }

// Within 1.5 units in the last place. Beyond what a float holds it stays at the largest and smallest normal powers,
// 2^127 and 2^-126; NaN stays NaN. e^x = 2^n e^r with n the nearest integer to x / ln 2 and |r| < 0.35.
FER_HOST_DEVICE inline float exponential(float x) {
#ifdef __CUDA_ARCH__
  return expf(x);
#else
  constexpr float least = -87.33654F, most = 88.02969F;  // ln 2^-126, ln 2^127
  constexpr float ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
  constexpr float to_integer = 12582912;  // 1.5 2^23: adding it leaves an integer in the last bits
  const float bounded = x < least ? least : (x > most ? most : x);
  const float shifted = bounded * 1.44269504F + to_integer;
  const float n = shifted - to_integer;
  const float r = (bounded - n * ln2_high) - n * ln2_low;
  float sum = 1.9875691500e-4F;  // Cephes' polynomial for (e^r - 1 - r) / r^2
  sum = sum * r + 1.3981999507e-3F;
  sum = sum * r + 8.3334519073e-3F;
  sum = sum * r + 4.1665795894e-2F;
  sum = sum * r + 1.6666665459e-1F;
  sum = sum * r + 5.0000001201e-1F;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(to_integer) + 127;
  return (sum * r * r + r + 1) * std::bit_cast<float>(exponent << 23);
#endif
}

}  // namespace fer
