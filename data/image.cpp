#include "data/image.h"

#include <stb_image.h>
#include <stb_image_write.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "data/image_integrity.h"
#include "tensor/file.h"

namespace fer {

namespace {

constexpr int64_t max_pixels = 64'000'000;

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

}  // namespace

Tensor read_image(const std::filesystem::path& path) {
  const MappedFile mapping(path);
  const std::string file = "image: " + path.string();
  if (mapping.bytes().size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    fail(file, ": the file has more than 2 GiB");
  }
  if (const std::string fault = image_fault(mapping.text()); !fault.empty()) {
    fail(file, ": ", fault);
  }
  const auto* bytes = reinterpret_cast<const stbi_uc*>(mapping.bytes().data());
  const int size = static_cast<int>(mapping.bytes().size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(bytes, size, &width, &height, &channels) == 0) {
    fail(file, ": cannot be decoded: ", stbi_failure_reason());
  }
  if (int64_t{width} * height > max_pixels) {
    fail(file, ": ", width, " x ", height, " pixels, at most ", max_pixels, " are read");
  }
  const int wanted = channels <= 2 ? 1 : 3;
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(bytes, size, &width, &height, &channels, wanted));
  if (!pixels) {
    fail(file, ": cannot be decoded: ", stbi_failure_reason());
  }
  return Tensor::from<uint8_t>({height, width, wanted}, pixels.get());
}

std::string encode_png(const Tensor& image) {
  const Shape& shape = image.shape();
  if (image.dtype() != DType::u8 || shape.rank() != 3 || (shape[2] != 1 && shape[2] != 3) || image.size() == 0) {
    fail("encode_png: expected u8 [height,width,1 or 3], got ", image.dtype(), " ", shape);
  }
  std::string png;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<size_t>(size));
  };
  const int height = static_cast<int>(shape[0]);
  const int width = static_cast<int>(shape[1]);
  const int channels = static_cast<int>(shape[2]);
  if (stbi_write_png_to_func(append, &png, width, height, channels, image.data<uint8_t>(), width * channels) == 0) {
    fail("encode_png: cannot encode an image of ", shape);
  }
  return png;
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, encode_png(image)); }

Tensor image_at(const Dataset& dataset, int64_t index) {
  if (index < 0 || index >= dataset.size()) {
    fail("image_at: no sample ", index, " in a set of ", dataset.size());
  }
  Tensor image(DType::u8, {dataset.height(), dataset.width(), dataset.channels()});
  if (dataset.images.dtype() == DType::u8) {
    std::copy_n(dataset.images.data<uint8_t>() + index * image.size(), image.size(), image.data<uint8_t>());
  } else {
    const float* pixels = dataset.images.data<float>() + index * image.size();
    std::transform(pixels, pixels + image.size(), image.data<uint8_t>(), [](float pixel) {
      return static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0f, 1.0f) * 255.0f));
    });
  }
  return image;
}

Tensor montage(const Dataset& dataset, int columns) {
  if (columns < 1) {
    fail("montage: ", columns, " columns, expected 1 or more");
  }
  const int64_t step_y = dataset.height() + 1;
  const int64_t step_x = dataset.width() + 1;
  const int64_t channels = dataset.channels();
  const int64_t rows = static_cast<int64_t>(dataset.classes.size());
  Tensor sheet(DType::u8, {rows * step_y - 1, columns * step_x - 1, channels});
  std::fill_n(sheet.data<uint8_t>(), sheet.size(), uint8_t{255});
  std::vector<int64_t> filled(dataset.classes.size());
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const int64_t row = dataset.labels.data<int32_t>()[i];
    const int64_t column = filled[static_cast<size_t>(row)]++;
    if (column >= columns) {
      continue;
    }
    const Tensor image = image_at(dataset, i);
    const int64_t line = dataset.width() * channels;
    for (int64_t y = 0; y < dataset.height(); ++y) {
      const int64_t at = ((row * step_y + y) * sheet.shape()[1] + column * step_x) * channels;
      std::copy_n(image.data<uint8_t>() + y * line, line, sheet.data<uint8_t>() + at);
    }
  }
  return sheet;
}

}  // namespace fer
