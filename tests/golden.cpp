#include "tests/golden.h"

#include <cmath>
#include <cstdlib>

namespace fer::test {

std::filesystem::path goldens() {
  const char* folder = std::getenv("FER_GOLDENS");
  return folder != nullptr && *folder != '\0' ? std::filesystem::path(folder)
                                              : std::filesystem::path(FER_SOURCE_DIR) / "tests" / "goldens";
}

Tensor to_nhwc(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  if (shape.rank() != 4) {
    return tensor;
  }
  Tensor result(tensor.dtype(), {shape[0], shape[2], shape[3], shape[1]});
  float* to = result.data<float>();
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t y = 0; y < shape[2]; ++y) {
      for (int64_t x = 0; x < shape[3]; ++x) {
        for (int64_t c = 0; c < shape[1]; ++c) {
          *to++ = tensor.data<float>()[((n * shape[1] + c) * shape[2] + y) * shape[3] + x];
        }
      }
    }
  }
  return result;
}

double relative_distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    fail("golden: ours is ", a.shape(), ", PyTorch's ", b.shape());
  }
  double difference = 0, norm = 0;
  const Tensor x = a.converted(DType::f64), y = b.converted(DType::f64);
  for (int64_t i = 0; i < a.size(); ++i) {
    const double d = x.data<double>()[i] - y.data<double>()[i];
    difference += d * d;
    norm += y.data<double>()[i] * y.data<double>()[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

}  // namespace fer::test
