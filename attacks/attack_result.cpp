#include "attacks/attack_result.h"

#include <algorithm>

namespace fer {

void check_attack_inputs(const char* attack, const Shape& image, int64_t classes, const Tensor& images,
                         const Tensor& labels) {
  const Shape& shape = images.shape();
  if (images.dtype() != DType::f32 || shape.rank() != 4 || shape != Shape{shape[0], image[0], image[1], image[2]} ||
      labels.dtype() != DType::i32 || labels.shape() != Shape{shape[0]}) {
    fail(attack, ": made for images ", image, ", was given ", images.dtype(), shape, " with labels ", labels.dtype(),
         labels.shape());
  }
  for (int32_t label : labels.as<const int32_t>()) {
    if (label < 0 || label >= classes) {
      fail(attack, ": label ", label, " is none of 0 to ", classes - 1);
    }
  }
}

bool predicts(const float* probabilities, int64_t classes, int32_t label) {
  return std::max_element(probabilities, probabilities + classes) - probabilities == label;
}

}  // namespace fer
