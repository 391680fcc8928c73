// Random pictures with labels in turn, to train on.
#pragma once

#include "tensor/philox.h"
#include "train/step.h"

namespace fer::test {

inline TrainingData small_data(int64_t count, int64_t size, int64_t channels = 1) {
  TrainingData data;
  data.images = Tensor(DType::u8, {count, size, size, channels});
  data.labels = Tensor(DType::i32, {count});
  RandomSequence random(Philox(11, 0));
  for (uint8_t& pixel : data.images.as<uint8_t>()) {
    pixel = static_cast<uint8_t>(random.below(256));
  }
  for (int64_t i = 0; i < count; ++i) {
    data.labels.data<int32_t>()[i] = static_cast<int32_t>(i % 7);
  }
  return data;
}

}  // namespace fer::test
