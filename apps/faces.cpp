#include "apps/faces.h"

#include <algorithm>
#include <cmath>

#include "apps/run_folder.h"
#include "data/image.h"

namespace fer {

bool is_picture(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

int64_t trained_side(const std::filesystem::path& run, const ModelOptions& options) {
  if (!std::filesystem::exists(run / "run.json")) {
    return options.size;
  }
  const nlohmann::json json = read_run_json(run).json;
  return std::max(options.size, json.at("data").value("shape", std::vector<int64_t>{0}).front());
}

Tensor read_face(const std::filesystem::path& path, const ModelOptions& options, int64_t side) {
  const Tensor picture = read_image(path);
  const int64_t height = picture.shape()[0], width = picture.shape()[1], from = picture.shape()[2];
  const int64_t factor = std::max<int64_t>(1, std::min(height, width) / side);
  const bool to_grey = from == 3 && options.channels == 1;
  const int64_t channels = to_grey ? 1 : from;
  constexpr double luma[] = {0.299, 0.587, 0.114};
  Tensor face(DType::u8, {1, height / factor, width / factor, channels});
  uint8_t* to = face.data<uint8_t>();
  for (int64_t row = 0; row < height / factor; ++row) {
    for (int64_t column = 0; column < width / factor; ++column) {
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (int64_t i = 0; i < factor * factor; ++i) {
          const uint8_t* pixel =
              picture.data<uint8_t>() + ((row * factor + i / factor) * width + column * factor + i % factor) * from;
          sum += to_grey ? luma[0] * pixel[0] + luma[1] * pixel[1] + luma[2] * pixel[2] : pixel[c];
        }
        *to++ = static_cast<uint8_t>(std::lround(sum / static_cast<double>(factor * factor)));
      }
    }
  }
  return face;
}

}  // namespace fer
