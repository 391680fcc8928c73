#include "attacks/one_pixel.h"

#include <algorithm>

namespace fer {

namespace {

constexpr uint32_t candidate_stream = 0x0B1;

// An image under attack, in one of the places of the batch.
struct Place {
  int64_t image = -1;
  int64_t tried = 0;
  double best = 2;  // lowest probability of the true class so far
};

bool predicts(const float* row, int64_t classes, int32_t label) {
  return std::max_element(row, row + classes) - row == label;
}

}  // namespace

OnePixel::OnePixel(const Network& network, Shape image, const OnePixelOptions& options)
    : options_(options), network_(network), image_(image) {
  if (options.candidates < 1 || options.chunk < 1 || options.images < 1) {
    fail("one-pixel: candidates, chunk and images must be at least 1");
  }
  options_.chunk = std::min(options.chunk, options.candidates);
  const int64_t rows = options_.images * options_.chunk;
  images_ = graph_.input("images", DType::f32, {options_.images, image[0], image[1], image[2]});
  pixels_ = graph_.input("pixels", DType::i32, {rows, 2});
  values_ = graph_.input("values", DType::f32, {rows, image[2]});
  const Value candidates = pixel_candidates(images_, pixels_, values_);
  probabilities_ = softmax(network.make(graph_)->forward(candidates, Mode::evaluation));
  executor_ = std::make_unique<Executor>(make_plan(graph_, std::vector{probabilities_}), network.device,
                                         network.variables, network.arena);
}

OnePixelResult OnePixel::attack(const Tensor& images, const Tensor& labels) {
  const int64_t count = images.shape()[0];
  const int64_t pixels = image_.size(), channels = image_[2], classes = network_.classes;
  if (images.shape().with(0, 0) != images_.shape().with(0, 0) || labels.shape() != Shape{count}) {
    fail("one-pixel: made for images ", image_, ", was given ", images.shape(), " with labels ", labels.shape());
  }
  OnePixelResult result{images.clone(), std::vector<uint8_t>(static_cast<size_t>(count), 0),
                        std::vector<int64_t>(static_cast<size_t>(count), 0)};
  const std::vector<float> clean =
      Classifier(network_, image_, DType::f32, options_.images * options_.chunk).probabilities(images);

  int64_t next = 0;
  const auto next_image = [&]() -> Place {
    for (; next < count; ++next) {
      const float* row = clean.data() + next * classes;
      const int32_t label = labels.data<int32_t>()[next];
      result.queries[static_cast<size_t>(next)] = 1;
      if (predicts(row, classes, label)) {
        return {next, 0, static_cast<double>(row[label])};
      }
      result.success[static_cast<size_t>(next)] = 1;
    }
    return {};
  };

  std::vector<Place> places(static_cast<size_t>(options_.images));
  Tensor staged(DType::f32, images_.shape());
  Tensor staged_pixels(DType::i32, pixels_.shape());
  Tensor staged_values(DType::f32, values_.shape());
  const auto occupy = [&](size_t p) {
    places[p] = next_image();
    if (places[p].image >= 0) {
      ++next;
      std::copy_n(images.data<float>() + places[p].image * pixels, pixels,
                  staged.data<float>() + static_cast<int64_t>(p) * pixels);
    }
  };
  for (size_t p = 0; p < places.size(); ++p) {
    occupy(p);
  }
  while (std::any_of(places.begin(), places.end(), [](const Place& place) { return place.image >= 0; })) {
    for (size_t p = 0; p < places.size(); ++p) {
      const Philox random(options_.seed, candidate_stream,
                          static_cast<uint64_t>(std::max<int64_t>(places[p].image, 0)));
      for (int64_t c = 0; c < options_.chunk; ++c) {
        const int64_t row = static_cast<int64_t>(p) * options_.chunk + c;
        const auto draw = static_cast<uint64_t>((places[p].tried + c) * (2 + channels));
        const auto below = [&](uint64_t which, int64_t bound) {
          return static_cast<int32_t>((uint64_t{random.bits(draw + which)} * static_cast<uint64_t>(bound)) >> 32);
        };
        staged_pixels.data<int32_t>()[row * 2] = below(0, image_[0]);
        staged_pixels.data<int32_t>()[row * 2 + 1] = below(1, image_[1]);
        for (int64_t k = 0; k < channels; ++k) {
          staged_values.data<float>()[row * channels + k] = random.uniform(draw + 2 + static_cast<uint64_t>(k));
        }
      }
    }
    executor_->feed(images_, staged.view()).feed(pixels_, staged_pixels.view()).feed(values_, staged_values.view());
    executor_->run({});
    const float* probabilities = executor_->read(probabilities_).as<const float>().data;

    for (size_t p = 0; p < places.size(); ++p) {
      Place& place = places[p];
      if (place.image < 0) {
        continue;
      }
      const auto image = static_cast<size_t>(place.image);
      const int32_t label = labels.data<int32_t>()[image];
      const int64_t useful = std::min(options_.chunk, options_.candidates - place.tried);
      bool fooled = false;
      for (int64_t c = 0; c < useful && !fooled; ++c) {
        const int64_t row = static_cast<int64_t>(p) * options_.chunk + c;
        const float* scores = probabilities + row * classes;
        ++result.queries[image];
        fooled = !predicts(scores, classes, label);
        if (fooled || scores[label] < place.best) {
          place.best = scores[label];
          float* attacked = result.attacked.data<float>() + place.image * pixels;
          std::copy_n(images.data<float>() + place.image * pixels, pixels, attacked);
          const int32_t* at = staged_pixels.data<int32_t>() + row * 2;
          std::copy_n(staged_values.data<float>() + row * channels, channels,
                      attacked + (at[0] * image_[1] + at[1]) * channels);
        }
      }
      place.tried += useful;
      result.success[image] = fooled;
      if (fooled || place.tried >= options_.candidates) {
        occupy(p);
      }
    }
  }
  return result;
}

}  // namespace fer
