#include "apps/step_setup.h"

#include <numeric>

namespace fer {

SteppedNetwork make_step(const TrainOptions& options, int64_t classes, Device device, Precision precision,
                         const PlanOptions& plan) {
  const ModelOptions model = model_options(options, classes);

  SteppedNetwork result;
  result.network = make_network(options.model, model, options.seed, device, precision);
  result.parameters = count_parameters(options.model, model);
  result.data.images = Tensor(DType::u8, {options.batch, model.size, model.size, model.channels});
  result.data.labels = Tensor(DType::i32, {options.batch});
  RandomSequence random(Philox(options.seed, 0));
  for (uint8_t& pixel : result.data.images.as<uint8_t>()) {
    pixel = static_cast<uint8_t>(random.below(256));
  }
  for (int32_t& label : result.data.labels.as<int32_t>()) {
    label = static_cast<int32_t>(random.below(static_cast<uint32_t>(classes)));
  }
  result.indices.resize(static_cast<size_t>(options.batch));
  std::iota(result.indices.begin(), result.indices.end(), 0);
  result.step =
      std::make_unique<TrainingStep>(options, result.network, find_model(options.model).head, result.data, plan);
  return result;
}

}  // namespace fer
