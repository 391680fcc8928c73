#include <array>

#include "data/class_names.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/ferplus.h"
#include "data/part.h"
#include "tensor/file.h"
#include "tensor/parallel_throwing.h"

namespace fer {

namespace {

constexpr int side = 48;
constexpr int pixels_per_image = side * side;

struct Columns {
  size_t emotion;
  size_t pixels;
  size_t usage;
  size_t count;
};

// Kaggle's two files of FER2013, row by row; every error names the file and the row (the header is row 1).
class CsvReader {
 public:
  CsvReader(std::string file, const Columns& columns) : file_(std::move(file)), columns_(columns) {}

  // Fills sample `index` of `dataset` from the line of row `row`.
  void read_row(std::string_view line, size_t row, Dataset& dataset, size_t index) const {
    const std::vector<std::string_view> fields = split_fields(line);
    if (fields.size() != columns_.count) {
      reject(row, "has ", fields.size(), " fields, expected ", columns_.count, " (is the file cut off?)");
    }
    const std::string_view emotion = fields[columns_.emotion];
    const int label = parse_count(emotion, static_cast<int>(fer2013_classes().size()) - 1);
    if (label < 0) {
      reject(row, "emotion '", emotion.substr(0, 20), "' is not a label from 0 to 6");
    }
    const std::string_view usage = fields[columns_.usage];
    const std::optional<Part> part = part_of_usage(usage);
    if (!part) {
      reject(row, "Usage '", usage.substr(0, 20), "' is none of Training, PublicTest, PrivateTest");
    }
    dataset.labels.data<int32_t>()[index] = label;
    dataset.parts[index] = *part;
    dataset.names[index] = "row " + std::to_string(row);
    read_pixels(fields[columns_.pixels], row, dataset.images.data<uint8_t>() + index * pixels_per_image);
  }

 private:
  template <class... Parts>
  [[noreturn]] void reject(size_t row, const Parts&... parts) const {
    fail(file_, ": row ", row, ": ", parts...);
  }

  void read_pixels(std::string_view text, size_t row, uint8_t* pixels) const {
    int count = 0;
    const char* next = text.data();
    const char* const end = next + text.size();
    while (true) {
      while (next != end && *next == ' ') {
        ++next;
      }
      if (next == end) {
        break;
      }
      const char* const begin = next;
      int value = 0;
      while (next != end && *next >= '0' && *next <= '9' && value <= 255) {
        value = value * 10 + (*next++ - '0');
      }
      if (value > 255 || (next != end && *next != ' ')) {
        const std::string_view word(begin, static_cast<size_t>(end - begin));
        reject(row, "pixel ", count + 1, " is '", word.substr(0, std::min<size_t>(word.find(' '), 20)),
               "', not a number from 0 to 255");
      }
      if (count < pixels_per_image) {
        pixels[count] = static_cast<uint8_t>(value);
      }
      ++count;
    }
    if (count != pixels_per_image) {
      reject(row, count, " pixels, expected ", pixels_per_image, " (48x48)",
             count < pixels_per_image ? "; is the file cut off?" : "");
    }
  }

  std::string file_;
  Columns columns_;
};

}  // namespace

Dataset read_fer2013(const std::filesystem::path& csv, const DatasetOptions& options) {
  const std::string file = "fer2013: " + csv.string();
  const MappedFile mapping(csv);
  const std::vector<std::string_view> lines = split_lines(mapping);
  if (lines.empty()) {
    fail(file, ": the file is empty, expected a header 'emotion,pixels,Usage'");
  }
  const std::vector<size_t> columns = find_columns(file, lines[0], {"emotion", "pixels", "Usage"});
  const size_t count = lines.size() - 1;
  if (count == 0) {
    fail(file, ": no rows after the header");
  }
  Dataset dataset;
  dataset.classes = fer2013_classes();
  dataset.images = Tensor(DType::u8, {static_cast<int64_t>(count), side, side, 1});
  dataset.labels = Tensor(DType::i32, {static_cast<int64_t>(count)});
  dataset.parts.resize(count);
  dataset.names.resize(count);
  dataset.metadata["source"] = csv.filename().string();
  const CsvReader reader(file, {columns[0], columns[1], columns[2], split_fields(lines[0]).size()});
  constexpr int64_t block = 1024;  // rows between giving the file's pages back
  for (int64_t begin = 0; begin < dataset.size(); begin += block) {
    parallel_throwing(std::min(block, dataset.size() - begin), 128, [&](int64_t i) {
      const size_t index = static_cast<size_t>(begin + i);
      reader.read_row(lines[index + 1], index + 2, dataset, index);
    });
    mapping.forget();
  }

  if (options.mode == FerPlusMode::none) {
    return dataset;
  }
  if (options.ferplus.empty()) {
    fail(file, ": labels from FER+ votes need the votes file fer2013new.csv (--ferplus)");
  }
  return with_ferplus_labels(dataset, options.ferplus, options.mode);
}

void write_csv(const std::filesystem::path& csv, const Dataset& dataset) {
  if (dataset.size() == 0 || dataset.images.dtype() != DType::u8 || dataset.height() != side ||
      dataset.width() != side || dataset.channels() != 1) {
    fail("write_csv: ", csv.string(), ": Kaggle's csv holds grey 48x48 8-bit images, this set ", dataset.images.dtype(),
         " ", dataset.images.shape());
  }
  if (dataset.classes != fer2013_classes()) {
    fail("write_csv: ", csv.string(), ": Kaggle's csv numbers the classes angry, disgust, fear, happy, sad, surprise, ",
         "neutral; this set has others");
  }
  std::array<std::string, 256> numbers;
  for (size_t value = 0; value < numbers.size(); ++value) {
    numbers[value] = std::to_string(value);
  }
  AtomicFile out(csv);
  out.write("emotion,pixels,Usage\n");
  std::string row;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    row = std::to_string(dataset.labels.data<int32_t>()[i]) + ",";
    const uint8_t* pixels = dataset.images.data<uint8_t>() + i * pixels_per_image;
    for (int pixel = 0; pixel < pixels_per_image; ++pixel) {
      row += numbers[pixels[pixel]];
      row += pixel + 1 < pixels_per_image ? ' ' : ',';
    }
    const Part part = dataset.parts.empty() ? Part::none : dataset.parts[static_cast<size_t>(i)];
    // The format has no word for "no official part": such samples are for training.
    row += usage_of(part == Part::none ? Part::train : part);
    row += '\n';
    out.write(row);
  }
  out.commit();
}

}  // namespace fer
