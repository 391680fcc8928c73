#include <doctest/doctest.h>

#include <algorithm>

#include "data/dataset.h"
#include "data/image.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

// An image of one grey (or, with three channels, of one colour) with its first element set to `first`.
Tensor plain_image(int64_t height, int64_t width, int64_t channels, uint8_t grey, uint8_t first) {
  Tensor image(DType::u8, {height, width, channels});
  std::fill_n(image.data<uint8_t>(), image.size(), grey);
  image.data<uint8_t>()[0] = first;
  return image;
}

void put_image(const std::filesystem::path& path, uint8_t first, int64_t channels = 1, int64_t width = 5) {
  std::filesystem::create_directories(path.parent_path());
  write_png(path, plain_image(4, width, channels, 90, first));
}

// The smallest JPEG this test could make by hand: a grey 8x8 image, all coefficients zero.
std::string tiny_jpeg() {
  std::string file("\xFF\xD8\xFF\xDB\x00\x43\x00", 7);
  file.append(64, '\x01');
  file.append(std::string("\xFF\xC0\x00\x0B\x08\x00\x08\x00\x08\x01\x01\x11\x00", 13));
  for (char table : {'\x00', '\x10'}) {  // one code of one bit: symbol 0
    file.append(std::string("\xFF\xC4\x00\x14", 4)).append(1, table).append(1, '\x01').append(16, '\x00');
  }
  file.append(std::string("\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00", 10));
  file.append("\x3F").append("\xFF\xD9");
  return file;
}

}  // namespace

TEST_CASE("image: PNG round trip, grey and colour, odd sizes") {
  const TemporaryFolder folder;
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{7, 3, 1}, Shape{48, 48, 1}, Shape{5, 9, 3}, Shape{1, 129, 3}}) {
    Tensor image(DType::u8, shape);
    for (int64_t i = 0; i < image.size(); ++i) {
      image.data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 % 256);
    }
    write_png(folder / "a.png", image);
    const Tensor back = read_image(folder / "a.png");
    REQUIRE(back.shape() == shape);
    CHECK(std::equal(image.data<uint8_t>(), image.data<uint8_t>() + image.size(), back.data<uint8_t>()));
  }
}

TEST_CASE("image: a JPEG is decoded, a truncated one refused") {
  const TemporaryFolder folder;
  const std::string jpeg = tiny_jpeg();
  write_file(folder / "a.jpg", jpeg);
  const Tensor image = read_image(folder / "a.jpg");
  CHECK(image.shape() == Shape{8, 8, 1});
  CHECK(image.data<uint8_t>()[0] == 128);
  write_file(folder / "a.jpg", jpeg.substr(0, jpeg.size() - 2));
  CHECK(holds(error_of([&] { read_image(folder / "a.jpg"); }), "a.jpg", "cut off"));
}

TEST_CASE("image: faulty files are refused by name") {
  const TemporaryFolder folder;
  const std::string png = encode_png(plain_image(20, 20, 1, 77, 3));
  const auto error = [&](const std::string& content) {
    write_file(folder / "a.png", content);
    const std::string message = error_of([&] { read_image(folder / "a.png"); });
    CHECK(holds(message, "image: ", "a.png"));
    return message;
  };
  CHECK(holds(error_of([&] { read_image(folder / "none.png"); }), "none.png", "No such file"));
  CHECK(holds(error(""), "empty"));
  CHECK(holds(error("GIF89a"), "neither PNG nor JPEG"));
  CHECK(holds(error("just text"), "neither PNG nor JPEG"));
  CHECK(holds(error("\xFF\xD8\xFF\xD9"), "decoded"));
  for (size_t length = 8; length < png.size(); ++length) {
    REQUIRE(holds(error(png.substr(0, length)), "cut off"));
  }
  for (size_t byte = 16; byte + 12 < png.size(); ++byte) {  // from inside the first chunk to the last
    std::string flipped = png;
    flipped[byte] = static_cast<char>(flipped[byte] ^ 0x10);
    REQUIRE(error(flipped) != "no error");
  }
}

TEST_CASE("image: an enormous size in the header is refused before anything is decoded") {
  const TemporaryFolder folder;
  // A PNG header of 20000 x 20000 pixels, with its checksum, and an end chunk.
  const std::string file(
      "\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR\x00\x00\x4E\x20\x00\x00\x4E\x20\x08\x00\x00\x00\x00"
      "\xC6\x1B\x19\xE5\x00\x00\x00\x00IEND\xAE\x42\x60\x82",
      45);
  write_file(folder / "big.png", file);
  CHECK(
      holds(error_of([&] { read_image(folder / "big.png"); }), "big.png", "20000 x 20000 pixels", "at most 64000000"));
}

TEST_CASE("image_folder: class folders in the field's order") {
  const TemporaryFolder folder;
  put_image(folder.path() / "sad" / "b.png", 1);
  put_image(folder.path() / "sad" / "a.png", 2);
  put_image(folder.path() / "angry" / "c.PNG", 3);
  put_image(folder.path() / "happy" / "d.png", 4);
  write_file(folder.path() / "happy" / "notes.txt", "not an image");
  std::filesystem::create_directories(folder.path() / ".hidden");
  const Dataset dataset = read_image_folder(folder.path());
  CHECK(dataset.classes == std::vector<std::string>{"angry", "happy", "sad"});
  CHECK(dataset.images.shape() == Shape{4, 4, 5, 1});
  CHECK(dataset.names == std::vector<std::string>{"angry/c.PNG", "happy/d.png", "sad/a.png", "sad/b.png"});
  const int32_t labels[] = {0, 1, 2, 2};
  const int firsts[] = {3, 4, 2, 1};
  for (int i = 0; i < 4; ++i) {
    CHECK(dataset.labels.data<int32_t>()[i] == labels[i]);
    CHECK(dataset.images.data<uint8_t>()[i * 20] == firsts[i]);
  }
  CHECK(dataset.parts == std::vector<Part>(4, Part::none));
  CHECK(dataset.subjects.empty());
}

TEST_CASE("image_folder: orders of FER2013, FER+ and other names") {
  const TemporaryFolder folder;
  for (const char* name : {"neutral", "surprise", "fear", "Disgust"}) {
    put_image(folder / "fer" / name / "a.png", 1);
  }
  CHECK(read_image_folder(folder / "fer").classes ==
        std::vector<std::string>{"Disgust", "fear", "surprise", "neutral"});
  for (const char* name : {"sadness", "happiness", "neutral", "contempt"}) {
    put_image(folder / "plus" / name / "a.png", 1);
  }
  CHECK(read_image_folder(folder / "plus").classes ==
        std::vector<std::string>{"neutral", "happiness", "sadness", "contempt"});
  for (const char* name : {"zebra", "neutral", "ape"}) {
    put_image(folder / "zoo" / name / "a.png", 1);
  }
  CHECK(read_image_folder(folder / "zoo").classes == std::vector<std::string>{"ape", "neutral", "zebra"});
}

TEST_CASE("image_folder: train and test folders, Kaggle's names, CK+ subjects") {
  const TemporaryFolder folder;
  put_image(folder / "k" / "train" / "happy" / "Training_1.png", 1);
  put_image(folder / "k" / "test" / "happy" / "PrivateTest_2.png", 2);
  put_image(folder / "k" / "test" / "sad" / "PublicTest_3.png", 3);
  put_image(folder / "k" / "test" / "sad" / "plain.png", 4);
  const Dataset kaggle = read_image_folder(folder / "k");
  CHECK(kaggle.parts == std::vector<Part>{Part::private_test, Part::public_test, Part::private_test, Part::train});
  CHECK(kaggle.classes == std::vector<std::string>{"happy", "sad"});

  put_image(folder / "ck" / "anger" / "S011_004_00000019.png", 1);
  put_image(folder / "ck" / "fear" / "S502_001_00000002.png", 1);
  CHECK(read_image_folder(folder / "ck").subjects == std::vector<std::string>{"S011", "S502"});
  put_image(folder / "ck" / "fear" / "S_001_1.png", 1);
  CHECK(read_image_folder(folder / "ck").subjects.empty());
}

TEST_CASE("image_folder: grey images join colour ones as three channels") {
  const TemporaryFolder folder;
  put_image(folder / "a" / "1.png", 7, 1);
  put_image(folder / "a" / "2.png", 8, 3);
  const Dataset dataset = read_image_folder(folder.path());
  REQUIRE(dataset.images.shape() == Shape{2, 4, 5, 3});
  const uint8_t* pixels = dataset.images.data<uint8_t>();
  CHECK((pixels[0] == 7 && pixels[1] == 7 && pixels[2] == 7 && pixels[3] == 90));
  CHECK((pixels[60] == 8 && pixels[61] == 90));
}

TEST_CASE("image_folder: faults are reported with folder or file") {
  const TemporaryFolder folder;
  CHECK(holds(error_of([&] { read_image_folder(folder.path()); }), "no PNG or JPEG"));
  CHECK(holds(error_of([&] { read_image_folder(folder / "none"); }), "none", "No such file"));
  put_image(folder / "a" / "1.png", 7);
  write_file(folder / "a" / "2.png", "broken");
  CHECK(holds(error_of([&] { read_image_folder(folder.path()); }), "2.png", "neither PNG nor JPEG"));
  put_image(folder / "a" / "2.png", 7, 1, 6);
  CHECK(holds(error_of([&] { read_image_folder(folder.path()); }), "2.png is 6 x 4", "1.png is 5 x 4"));
  std::filesystem::create_directories(folder / "test");
  CHECK(holds(error_of([&] { read_image_folder(folder.path()); }), "'test' and 'a'"));
}

TEST_CASE("image_folder: what is written is read back") {
  const TemporaryFolder folder;
  const Dataset faces = synthetic_faces(42, 3);
  write_image_folder(folder / "out", faces);
  const Dataset back = read_image_folder(folder / "out");
  REQUIRE(back.size() == 42);
  CHECK(back.classes == faces.classes);
  CHECK(std::count(back.parts.begin(), back.parts.end(), Part::private_test) == 14);
  // File names carry the index in the set.
  for (int64_t i = 0; i < back.size(); ++i) {
    const std::string& name = back.names[static_cast<size_t>(i)];
    const int64_t original = std::stoll(name.substr(name.size() - 12, 8));
    CHECK(back.labels.data<int32_t>()[i] == faces.labels.data<int32_t>()[original]);
    CHECK(std::equal(back.images.data<uint8_t>() + i * 2304, back.images.data<uint8_t>() + (i + 1) * 2304,
                     faces.images.data<uint8_t>() + original * 2304));
  }
}

TEST_CASE("image: a montage has one row a class") {
  Dataset dataset = select(synthetic_faces(30, 1), {0, 3, 4, 6, 9});  // classes 0 1 1 2 3
  const Tensor sheet = montage(dataset, 2);
  REQUIRE(sheet.shape() == Shape{7 * 49 - 1, 2 * 49 - 1, 1});
  const uint8_t* pixels = sheet.data<uint8_t>();
  const uint8_t* third = dataset.images.data<uint8_t>() + 2 * 2304;
  CHECK(std::equal(third, third + 48, pixels + 49 * 97 + 49));
  CHECK(pixels[48] == 255);  // the gap
  CHECK(holds(error_of([&] { montage(dataset, 0); }), "0 columns"));
}
