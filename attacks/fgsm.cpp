#include "attacks/fgsm.h"

#include <algorithm>

namespace fer {

Fgsm::Fgsm(const Network& network, Shape image, std::vector<double> eps, int64_t batch, bool targeted) : batch_(batch) {
  images_ = graph_.input("images", DType::f32, {batch, image[0], image[1], image[2]});
  labels_ = graph_.input("labels", DType::i32, {batch});
  const Value loss = cross_entropy(network.make(graph_)->forward(images_, Mode::evaluation), labels_, {.sum = true});
  const Value slope = gradients(loss, std::vector{images_})[0];
  const double direction = targeted ? -1 : 1;
  for (double one : eps) {
    attacked_.push_back(clamp(add(images_, scale(sign(slope), direction * one)), 0, 1));
  }
  executor_ = std::make_unique<Executor>(make_plan(graph_, attacked_, network.planned()), network.device,
                                         network.variables, network.arena);
}

std::vector<Tensor> Fgsm::attack(const Tensor& images, const Tensor& labels) {
  if (images.shape().with(0, batch_) != images_.shape() || labels.shape() != Shape{images.shape()[0]}) {
    fail("fgsm: made for images like ", images_.shape(), ", was given ", images.shape(), " with labels ",
         labels.shape());
  }
  const int64_t count = images.shape()[0];
  const int64_t pixels = images_.shape().size() / batch_;
  std::vector<Tensor> results;
  for (size_t i = 0; i < attacked_.size(); ++i) {
    results.emplace_back(DType::f32, images.shape());
  }
  Tensor staged(DType::f32, images_.shape());
  Tensor staged_labels(DType::i32, {batch_});
  for (int64_t begin = 0; begin < count; begin += batch_) {
    const int64_t taken = std::min(batch_, count - begin);
    std::copy_n(images.data<float>() + begin * pixels, taken * pixels, staged.data<float>());
    std::copy_n(labels.data<int32_t>() + begin, taken, staged_labels.data<int32_t>());
    executor_->feed(images_, staged.view()).feed(labels_, staged_labels.view()).run({});
    for (size_t i = 0; i < attacked_.size(); ++i) {
      const float* attacked = executor_->read(attacked_[i]).as<const float>().data;
      std::copy_n(attacked, taken * pixels, results[i].data<float>() + begin * pixels);
    }
  }
  return results;
}

}  // namespace fer
