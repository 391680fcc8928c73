#include "layers/network.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tensor/parallel_throwing.h"

namespace fer {

PlanOptions Network::planned(PlanOptions options) const {
  options.kernels.precision = precision;
  return planned_for(device, options);
}

Classifier::Classifier(const Network& network, Shape image, DType dtype, int64_t batch, Weights weights)
    : classes_(network.classes), image_(image), dtype_(dtype) {
  if (image.rank() != 3) {
    fail("classifier: images must be [H,W,C], not ", image);
  }
  const int64_t parts = network.device == Device::cpu ? std::clamp<int64_t>(thread_count(), 1, batch) : 1;
  input_ = graph_.input("images", dtype, {(batch + parts - 1) / parts, image[0], image[1], image[2]});
  output_ = softmax(network.make(graph_)->forward(decode(input_), Mode::evaluation));
  PlanOptions options = network.planned();
  options.kernels.weights_stay = weights == Weights::stay;
  const auto kept = std::make_shared<Arena>(accelerator_for(network.device));
  const auto arena = network.arena ? network.arena : std::make_shared<Arena>(accelerator_for(network.device));
  const ThreadCount of_each(parts > 1 ? 1 : thread_count());
  int64_t first_byte = 0;
  for (Plan& plan : make_plans(parts, graph_, std::vector{output_}, options)) {
    const int64_t bytes = round_up(plan.peak_bytes(), memory_alignment);
    parts_.push_back(
        std::make_unique<Executor>(std::move(plan), network.device, network.variables, arena, first_byte, kept));
    first_byte += bytes;
  }
}

std::vector<float> Classifier::probabilities(const Tensor& images, std::vector<double>* seconds) {
  std::vector<int32_t> all(static_cast<size_t>(images.shape()[0]));
  std::iota(all.begin(), all.end(), 0);
  return probabilities(images, all, seconds);
}

std::vector<float> Classifier::probabilities(const Tensor& images, const std::vector<int32_t>& indices,
                                             std::vector<double>* seconds) {
  const Shape batch = input_.shape();
  if (images.dtype() != dtype_ || images.shape().with(0, batch[0]) != batch) {
    fail("classifier: made for ", dtype_, image_, " images, was given ", images.dtype(), images.shape());
  }
  if (!keeps_weights_) {
    parts_[0]->keep_weights();
    keeps_weights_ = true;
  }
  const auto count = static_cast<int64_t>(indices.size());
  std::vector<float> result(static_cast<size_t>(count * classes_));
  const int64_t parts = std::min(count, this->parts());
  std::vector<std::vector<double>> of_parts(static_cast<size_t>(parts));
  parallel_throwing(parts, 1, [&](int64_t part) {
    const ThreadCount of_each(this->parts() > 1 ? 1 : thread_count());
    const int64_t begin = count * part / parts, end = count * (part + 1) / parts;
    run_part(*parts_[static_cast<size_t>(part)], images, indices, begin, end, result.data() + begin * classes_,
             seconds != nullptr ? &of_parts[static_cast<size_t>(part)] : nullptr);
  });
  if (seconds != nullptr && parts > 0) {
    const auto sum = [](const std::vector<double>& of_part) {
      return std::accumulate(of_part.begin(), of_part.end(), 0.0);
    };
    *seconds = *std::ranges::max_element(of_parts, {}, sum);
  }
  return result;
}

void Classifier::run_part(Executor& part, const Tensor& images, const std::vector<int32_t>& indices, int64_t begin,
                          int64_t end, float* probabilities, std::vector<double>* seconds) const {
  const auto image_bytes = static_cast<size_t>(image_.size() * size_of(dtype_));
  const int64_t batch = input_.shape()[0];
  Tensor staged(dtype_, input_.shape());
  for (; begin < end; begin += batch) {
    const int64_t taken = std::min(batch, end - begin);
    for (int64_t i = 0; i < batch; ++i) {  // the last batch is filled up with its first image
      const int64_t row = indices[static_cast<size_t>(begin + (i < taken ? i : 0))];
      std::memcpy(static_cast<std::byte*>(staged.view().data) + static_cast<size_t>(i) * image_bytes,
                  static_cast<const std::byte*>(images.view().data) + static_cast<size_t>(row) * image_bytes,
                  image_bytes);
    }
    part.feed(input_, staged.view()).run({}, seconds);
    probabilities = std::copy_n(part.read(output_).as<const float>().data, taken * classes_, probabilities);
  }
}

}  // namespace fer
