// fer bench attack
#include <algorithm>
#include <iostream>

#include "apps/bench.h"
#include "apps/step_setup.h"
#include "attacks/fgsm.h"
#include "attacks/pixel_attack.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

// A network as it is before training attacks noise. Labels are its own predictions, so that no image is finished before
// it begins, and hardly one before its candidates are used up.
struct BenchAttack : BenchOptions {
  PixelAttackOptions pixel;
  int64_t images = 16;
  double eps = 0.01;

  BenchAttack() {
    repeats = 5;
    warm_up = 1;
  }

  void run() {
    const Device device = apply();
    if (images < 1) {
      fail("--images must be at least 1");
    }
    const ModelOptions model = model_options(options, classes);
    const Network network = make_network(options.model, model, options.seed, device, parse_precision(step.precision));
    step.announce(device);
    const Shape image{model.size, model.size, model.channels};
    const auto faces = [&](int64_t count) {
      Tensor noise(DType::f32, {count, image[0], image[1], image[2]});
      RandomSequence random(Philox(options.seed, 0));
      for (float& pixel : noise.as<float>()) {
        pixel = random.uniform();
      }
      return noise;
    };
    const Tensor batch = faces(options.batch), few = faces(images);
    Fgsm fgsm(network, image, {eps}, options.batch);
    const Tensor batch_labels = predicted(network, image, batch), few_labels = predicted(network, image, few);
    std::vector<double> fgsm_seconds = time_repeats(warm_up, repeats, [&] { fgsm.attack(batch, batch_labels); });
    PixelAttack pixels(network, image, pixel);
    int64_t queries = 0;
    std::vector<double> pixel_seconds = time_repeats(warm_up, repeats, [&] {
      const AttackResult result = pixels.attack(few, few_labels);
      queries = 0;
      for (int64_t q : result.queries) {
        queries += q;
      }
    });
    const Spread fgsm_time = spread_of(fgsm_seconds), pixel_time = spread_of(pixel_seconds);
    const auto rate = [](int64_t count, const Spread& seconds) {
      const auto number = static_cast<double>(count);
      return Spread{number / seconds.value, number / seconds.high, number / seconds.low};
    };
    nlohmann::json result = result_of("attack", device);
    result.update({{"model", options.model},
                   {"image", to_string(image)},
                   {"fgsm_batch", options.batch},
                   {"fgsm_planned_bytes", fgsm.plan().peak_bytes()},
                   {"one_pixel", pixel.describe()},
                   {"one_pixel_images", images},
                   {"one_pixel_planned_bytes", pixels.plan().peak_bytes()},
                   {"peak_rss_bytes", peak_resident_bytes()}});
    put(result, "fgsm_ms", scaled(fgsm_time, 1e3));
    put(result, "fgsm_images_per_s", rate(options.batch, fgsm_time));
    put(result, "one_pixel_images_per_s", rate(images, pixel_time));
    put(result, "one_pixel_queries_per_s", rate(queries, pixel_time));
    if (json) {
      std::cout << result.dump(1) << "\n";
      return;
    }
    std::printf("%s %s, %d threads, median of %ld\n", options.model.c_str(), to_string(image).c_str(), thread_count(),
                repeats);
    std::printf("fgsm, batch %ld: %.1f ms, %.1f images/s\n", options.batch, 1e3 * fgsm_time.value,
                static_cast<double>(options.batch) / fgsm_time.value);
    std::printf("one pixel, %s: %.2f images/s, %.0f queries/s\n", pixel.describe().c_str(),
                static_cast<double>(images) / pixel_time.value, static_cast<double>(queries) / pixel_time.value);
    std::printf("peak resident %s\n", format_bytes(static_cast<double>(peak_resident_bytes())).c_str());
  }

  Tensor predicted(const Network& network, const Shape& image, const Tensor& of) const {
    Classifier classifier(network, image, DType::f32, std::min(options.batch, of.shape()[0]));
    const std::vector<float> scores = classifier.probabilities(of);
    Tensor labels(DType::i32, {of.shape()[0]});
    for (int64_t i = 0; i < labels.size(); ++i) {
      const float* row = scores.data() + i * classes;
      labels.data<int32_t>()[i] = static_cast<int32_t>(std::max_element(row, row + classes) - row);
    }
    return labels;
  }
};

}  // namespace

void add_bench_attack_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("attack", "images a second of FGSM and of the one-pixel attack");
  static BenchAttack attack;
  command->add_option("--model", attack.options.model, "the network (see fer models)")->capture_default_str();
  attack.add_to(*command, "attacks of each kind");
  command->add_option("--eps", attack.eps, "FGSM's step")->capture_default_str();
  command->add_option("--candidates", attack.pixel.candidates, "pixels tried on each image")->capture_default_str();
  command->add_option("--images", attack.images, "images of the one-pixel attack")->capture_default_str();
  command->callback([] { attack.run(); });
}

}  // namespace fer
