#include "data/distort.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

namespace {

constexpr uint32_t distort_stream = 0xD1570;

std::vector<double> gaussian(int kernel, double sigma) {
  if (sigma <= 0) {
    switch (kernel) {
      case 3:
        return {1 / 4.0, 1 / 2.0, 1 / 4.0};
      case 5:
        return {1 / 16.0, 1 / 4.0, 3 / 8.0, 1 / 4.0, 1 / 16.0};
      case 7:
        return {1 / 32.0, 7 / 64.0, 7 / 32.0, 9 / 32.0, 7 / 32.0, 7 / 64.0, 1 / 32.0};
      default:
        sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8;
    }
  }
  std::vector<double> weights(static_cast<size_t>(kernel));
  double total = 0;
  for (int i = 0; i < kernel; ++i) {
    const double distance = i - (kernel - 1) / 2;
    weights[static_cast<size_t>(i)] = std::exp(-distance * distance / (2 * sigma * sigma));
    total += weights[static_cast<size_t>(i)];
  }
  for (double& weight : weights) {
    weight /= total;
  }
  return weights;
}

// -2 -1 0 … n-1 n n+1 -> 2 1 0 … n-1 n-2 n-3
int64_t mirrored(int64_t at, int64_t extent) {
  while (at < 0 || at >= extent) {
    at = at < 0 ? -at : 2 * (extent - 1) - at;
    if (extent == 1) {
      return 0;
    }
  }
  return at;
}

int64_t repeated(int64_t at, int64_t extent) { return std::clamp<int64_t>(at, 0, extent - 1); }

// Convolves one image [height,width,channels] with `weights` along both axes; `border` maps places outside to inside.
template <class T, class Border, class Round>
void blur_image(const T* x, T* y, const Shape& shape, const std::vector<double>& weights, Border border, Round round) {
  const int64_t height = shape[1], width = shape[2], channels = shape[3];
  const auto half = static_cast<int64_t>(weights.size() / 2);
  std::vector<double> rows(static_cast<size_t>(height * width * channels));
  const auto blur = [&](auto read, auto write, bool along_rows) {
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        for (int64_t k = 0; k < channels; ++k) {
          double sum = 0;
          for (int64_t tap = -half; tap <= half; ++tap) {
            const int64_t row = along_rows ? r : border(r + tap, height);
            const int64_t column = along_rows ? border(c + tap, width) : c;
            sum += weights[static_cast<size_t>(tap + half)] * read((row * width + column) * channels + k);
          }
          write((r * width + c) * channels + k, sum);
        }
      }
    }
  };
  blur([&](int64_t i) { return static_cast<double>(x[i]); },
       [&](int64_t i, double sum) { rows[static_cast<size_t>(i)] = sum; }, true);
  blur([&](int64_t i) { return rows[static_cast<size_t>(i)]; }, [&](int64_t i, double sum) { y[i] = round(sum); },
       false);
}

// The same for every image of a batch.
template <class T, class Border, class Round>
Tensor blurred(const Tensor& images, const std::vector<double>& weights, Border border, Round round) {
  const Shape& shape = images.shape();
  const int64_t size = shape[1] * shape[2] * shape[3];
  Tensor result(images.dtype(), shape);
  parallel_for(shape[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      blur_image(images.data<T>() + n * size, result.data<T>() + n * size, shape, weights, border, round);
    }
  });
  return result;
}

float to_float(double value) { return static_cast<float>(value); }

constexpr std::array kind_names = {"gaussian-blur", "gaussian-noise", "salt-pepper", "speckle", "occlusion"};
constexpr std::array style_names = {"cited", "cited-255", "clean", "imagenet-c", "cifar-c"};
constexpr int kinds = 5;
constexpr int severities = 5;

// Amounts of a graded distortion, severity 1 to 5.
constexpr double graded[2][4][severities] = {
    {{1, 2, 3, 4, 6}, {.08, .12, .18, .26, .38}, {.03, .06, .09, .17, .27}, {.15, .2, .35, .45, .6}},
    {{.4, .6, .7, .8, 1}, {.04, .06, .08, .09, .10}, {.01, .02, .03, .05, .07}, {.06, .1, .12, .16, .2}}};

bool is_graded(DistortionStyle style) {
  return style == DistortionStyle::imagenet_c || style == DistortionStyle::cifar_c;
}

double amount_of(const Distortion& distortion) {
  return graded[distortion.style == DistortionStyle::cifar_c][static_cast<int>(distortion.kind)]
               [distortion.severity - 1];
}

Tensor blur(const Tensor& images, const Distortion& distortion) {
  if (is_graded(distortion.style)) {
    const double sigma = amount_of(distortion);
    return blurred<float>(images, gaussian(2 * static_cast<int>(4 * sigma + 0.5) + 1, sigma), repeated, to_float);
  }
  return blurred<float>(images, gaussian(7, 0), mirrored, to_float);
}

// 30 to 500 pixels white, then 30 to 500 black.
void set_pixels(RandomSequence& random, float white, const Shape& shape, float* y) {
  for (const float value : {white, 0.0f}) {
    for (uint32_t left = 30 + random.below(471); left > 0; --left) {
      const int64_t row = random.below(static_cast<uint32_t>(shape[1]));
      const int64_t column = random.below(static_cast<uint32_t>(shape[2]));
      std::fill_n(y + (row * shape[2] + column) * shape[3], shape[3], value);
    }
  }
}

void blacken_quadrant(RandomSequence& random, const Shape& shape, float* y) {
  const uint32_t quadrant = random.below(4);
  const int64_t row = quadrant / 2 * (shape[1] / 2), column = quadrant % 2 * (shape[2] / 2);
  for (int64_t r = row; r < row + shape[1] / 2; ++r) {
    std::fill_n(y + (r * shape[2] + column) * shape[3], shape[2] / 2 * shape[3], 0.0f);
  }
}

// Everything but blur, on the pixels y of image `index`. In style cited_255 they are bytes, 0 to 255.
void distort_image(const Distortion& distortion, const Philox& random, const Shape& shape, float* y) {
  const int64_t size = shape[1] * shape[2] * shape[3];
  const DistortionStyle style = distortion.style;
  const bool cited = style == DistortionStyle::cited || style == DistortionStyle::cited_255;
  const bool with_severity = is_graded(style);
  RandomSequence sequence(random);
  const auto each = [&](auto value) {
    for (int64_t i = 0; i < size; ++i) {
      y[i] = value(static_cast<uint64_t>(i), y[i]);
    }
  };
  switch (distortion.kind) {
    case DistortionKind::gaussian_blur:
      break;
    case DistortionKind::gaussian_noise:
      if (with_severity) {
        each([&, sd = to_float(amount_of(distortion))](uint64_t i, float x) { return x + sd * random.normal(i); });
      } else {
        each([&](uint64_t i, float x) { return 0.75f * x + 0.0625f * 2 * random.normal(i); });
      }
      break;
    case DistortionKind::salt_pepper:
      if (with_severity) {
        each([&, amount = to_float(amount_of(distortion))](uint64_t i, float x) {
          return random.uniform(2 * i) >= amount ? x : random.uniform(2 * i + 1) < 0.5f ? 1.0f : 0.0f;
        });
      } else {
        set_pixels(sequence, cited ? 255.0f : 1.0f, shape, y);
      }
      break;
    case DistortionKind::speckle:
      if (cited) {
        each([&](uint64_t i, float x) {
          const auto g = static_cast<uint8_t>(static_cast<int>(random.normal(i)));
          const float sum = x + x * static_cast<float>(g);
          return style == DistortionStyle::cited_255 ? std::fmod(sum, 256.0f) : sum;
        });
      } else {
        const float sd = with_severity ? to_float(amount_of(distortion)) : 1.0f;
        each([&](uint64_t i, float x) { return x + x * sd * random.normal(i); });
      }
      break;
    case DistortionKind::occlusion:
      blacken_quadrant(sequence, shape, y);
  }
}

template <class Names>
std::optional<int> find_name(const Names& names, const std::string& text) {
  const auto found = std::find(names.begin(), names.end(), text);
  return found == names.end() ? std::nullopt : std::optional<int>(static_cast<int>(found - names.begin()));
}

}  // namespace

std::string name_of(DistortionKind kind) { return kind_names[static_cast<size_t>(kind)]; }
std::string name_of(DistortionStyle style) { return style_names[static_cast<size_t>(style)]; }

std::string name_of(const Distortion& distortion) {
  return name_of(distortion.style) + "/" + name_of(distortion.kind) +
         (distortion.severity > 0 ? ":" + std::to_string(distortion.severity) : "");
}

std::vector<Distortion> parse_distortion(const std::string& text) {
  const auto refuse = [&] {
    std::string known_styles, known_kinds;
    for (const char* name : style_names) {
      known_styles += std::string(known_styles.empty() ? "" : ", ") + name;
    }
    for (const char* name : kind_names) {
      known_kinds += std::string(known_kinds.empty() ? "" : ", ") + name;
    }
    fail("distortion '", text, "': expected STYLE, STYLE/KIND or KIND with STYLE one of ", known_styles,
         " and KIND one of ", known_kinds,
         "; imagenet-c and cifar-c take a severity, as in imagenet-c:3, and no "
         "occlusion");
  };
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const size_t slash = name.find('/');
  const auto kind = find_name(kind_names, slash == std::string::npos ? name : name.substr(slash + 1));
  const auto style = find_name(style_names, name.substr(0, slash));
  if (slash != std::string::npos ? !kind || !style : !kind && !style) {
    refuse();
  }
  const auto chosen = style ? static_cast<DistortionStyle>(*style) : DistortionStyle::clean;
  int severity = 0;
  if (colon != std::string::npos) {
    if (!is_graded(chosen) || text.size() != colon + 2 || text[colon + 1] < '1' || text[colon + 1] > '5') {
      refuse();
    }
    severity = text[colon + 1] - '0';
  }
  std::vector<Distortion> result;
  for (int k = kind.value_or(0); k <= kind.value_or(kinds - 1); ++k) {
    const auto one = static_cast<DistortionKind>(k);
    if (!is_graded(chosen)) {
      result.push_back({one, chosen, 0});
      continue;
    }
    for (int s = severity > 0 ? severity : 1; s <= (severity > 0 ? severity : severities); ++s) {
      if (one != DistortionKind::occlusion) {
        result.push_back({one, chosen, s});
      }
    }
  }
  if (result.empty()) {
    refuse();
  }
  return result;
}

Tensor distort(const Tensor& images, const Distortion& distortion, uint64_t seed) {
  const Shape& shape = images.shape();
  if (shape.rank() != 4 || images.dtype() != DType::f32) {
    fail("distort: expects f32 [N,H,W,C], was given ", images.dtype(), shape);
  }
  if (is_graded(distortion.style)
          ? distortion.severity < 1 || distortion.severity > severities || distortion.kind == DistortionKind::occlusion
          : distortion.severity != 0) {
    fail("distort: there is no ", name_of(distortion));
  }
  const bool bytes = distortion.style == DistortionStyle::cited_255;
  const bool clipped = is_graded(distortion.style) || distortion.style == DistortionStyle::clean;
  if (distortion.kind == DistortionKind::gaussian_blur && !bytes) {
    return blur(images, distortion);
  }
  Tensor result = images.clone();
  if (bytes) {
    for (float& pixel : result.as<float>()) {
      pixel = std::round(255 * pixel);
    }
  }
  if (distortion.kind == DistortionKind::gaussian_blur) {
    result = gaussian_blur(result.converted(DType::u8), 7).converted(DType::f32);
  } else {
    const int64_t size = shape[1] * shape[2] * shape[3];
    parallel_for(shape[0], 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const Philox random(seed, distort_stream + static_cast<uint32_t>(distortion.kind), static_cast<uint64_t>(n));
        distort_image(distortion, random, shape, result.data<float>() + n * size);
      }
    });
  }
  if (bytes) {
    for (float& pixel : result.as<float>()) {
      pixel /= 255;
    }
  }
  if (clipped) {
    for (float& pixel : result.as<float>()) {
      pixel = std::clamp(pixel, 0.0f, 1.0f);
    }
  }
  return result;
}

Tensor gaussian_blur(const Tensor& images, int kernel, double sigma) {
  if (kernel < 1 || kernel % 2 == 0) {
    fail("gaussian_blur: kernel ", kernel, " is not a positive odd number");
  }
  if (images.shape().rank() != 4 || images.dtype() != DType::u8) {
    fail("gaussian_blur: expects u8 [N,H,W,C], was given ", images.dtype(), images.shape());
  }
  return blurred<uint8_t>(images, gaussian(kernel, sigma), mirrored,
                          [](double sum) { return static_cast<uint8_t>(std::lround(sum)); });
}

std::vector<int64_t> section_bounds(int64_t count, int64_t parts) {
  std::vector<int64_t> bounds{0};
  for (int64_t part = 0; part < parts; ++part) {
    bounds.push_back(bounds.back() + count / parts + (part < count % parts ? 1 : 0));
  }
  return bounds;
}

}  // namespace fer
