#include "layers/network.h"

#include <cstring>
#include <numeric>

namespace fer {

PlanOptions Network::planned(PlanOptions options) const {
  options.kernels.precision = precision;
  return planned_for(device, options);
}

Classifier::Classifier(const Network& network, Shape image, DType dtype, int64_t batch)
    : batch_(batch), classes_(network.classes), image_(image), dtype_(dtype) {
  if (image.rank() != 3) {
    fail("classifier: images must be [H,W,C], not ", image);
  }
  input_ = graph_.input("images", dtype, {batch, image[0], image[1], image[2]});
  output_ = softmax(network.make(graph_)->forward(decode(input_), Mode::evaluation));
  executor_ = std::make_unique<Executor>(make_plan(graph_, std::vector{output_}, network.planned()), network.device,
                                         network.variables, network.arena);
}

std::vector<float> Classifier::probabilities(const Tensor& images, std::vector<double>* seconds) {
  std::vector<int32_t> all(static_cast<size_t>(images.shape()[0]));
  std::iota(all.begin(), all.end(), 0);
  return probabilities(images, all, seconds);
}

std::vector<float> Classifier::probabilities(const Tensor& images, const std::vector<int32_t>& indices,
                                             std::vector<double>* seconds) {
  if (images.dtype() != dtype_ || images.shape().with(0, batch_) != input_.shape()) {
    fail("classifier: made for ", dtype_, image_, " images, was given ", images.dtype(), images.shape());
  }
  const auto image_bytes = static_cast<size_t>(image_.size() * size_of(dtype_));
  const auto count = static_cast<int64_t>(indices.size());
  std::vector<float> result(static_cast<size_t>(count * classes_));
  Tensor staged(dtype_, input_.shape());
  for (int64_t begin = 0; begin < count; begin += batch_) {
    const int64_t taken = std::min(batch_, count - begin);
    for (int64_t i = 0; i < batch_; ++i) {  // the last batch is filled up with its first image
      const int64_t row = indices[static_cast<size_t>(begin + (i < taken ? i : 0))];
      std::memcpy(static_cast<std::byte*>(staged.view().data) + static_cast<size_t>(i) * image_bytes,
                  static_cast<const std::byte*>(images.view().data) + static_cast<size_t>(row) * image_bytes,
                  image_bytes);
    }
    executor_->feed(input_, staged.view()).run({}, seconds);
    const float* probabilities = executor_->read(output_).as<const float>().data;
    std::copy(probabilities, probabilities + taken * classes_, result.begin() + begin * classes_);
  }
  return result;
}

}  // namespace fer
