#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

std::string with_length(const std::string& header, const std::string& data, uint64_t length) {
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + data;
}

// The error of reading a file with this header and `data_bytes` of data; "no error" when it is accepted.
std::string error_for(const std::string& header, size_t data_bytes = 0) {
  const TemporaryFolder folder;
  write_file(folder / "a.safetensors", with_length(header, std::string(data_bytes, '\0'), header.size()));
  const std::string message = error_of([&] { read_safetensors(folder / "a.safetensors"); });
  if (message != "no error") {
    CHECK(holds(message, "safetensors: ", "a.safetensors"));
  }
  return message;
}

std::string error_for_file(const std::string& content) {
  const TemporaryFolder folder;
  write_file(folder / "a.safetensors", content);
  return error_of([&] { read_safetensors(folder / "a.safetensors"); });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, int begin, int end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

}  // namespace

TEST_CASE("safetensors: what is written is read back, bit by bit") {
  const TemporaryFolder folder;
  TensorFile file;
  const float floats[] = {1.5f, -0.0f, std::numeric_limits<float>::quiet_NaN(), INFINITY, 1e-45f, 3};
  const int64_t labels[] = {-1, 1LL << 40};
  const uint8_t bytes[] = {0, 1, 255};
  file.tensors["weights"] = Tensor::from<float>({2, 3}, floats);
  file.tensors["labels"] = Tensor::from<int64_t>({2}, labels);
  file.tensors["bytes"] = Tensor::from<uint8_t>({3, 1}, bytes);
  file.tensors["scalar"] = Tensor::from<float>({}, floats);
  file.tensors["none"] = Tensor(DType::f64, {0, 7});
  file.metadata = {{"source", "a \"quoted\"\nline, ünïcode"}, {"empty", ""}};
  write_safetensors(folder / "a.safetensors", file);

  const TensorFile back = read_safetensors(folder / "a.safetensors");
  CHECK(back.metadata == file.metadata);
  CHECK(back.source == folder / "a.safetensors");
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    CAPTURE(name);
    const Tensor& read = back.at(name);
    CHECK(read.dtype() == tensor.dtype());
    CHECK(read.shape() == tensor.shape());
    CHECK(std::memcmp(read.view().data, tensor.view().data, static_cast<size_t>(tensor.bytes())) == 0);
  }
  CHECK(holds(error_of([&] { back.at("bias"); }), "a.safetensors", "'bias'"));
}

TEST_CASE("safetensors: tensors are written by descending element size, then name, behind a padded header") {
  const TemporaryFolder folder;
  TensorFile file;
  file.tensors["a"] = Tensor(DType::u8, {1});
  file.tensors["z"] = Tensor(DType::f64, {1});
  file.tensors["c"] = Tensor(DType::f32, {1});
  file.tensors["b"] = Tensor(DType::i32, {1});
  write_safetensors(folder / "a", file);
  const std::string content = read_file(folder / "a");
  uint64_t header = 0;
  std::memcpy(&header, content.data(), sizeof(header));
  CHECK(header % 8 == 0);
  CHECK(content.size() == 8 + header + 17);
  const std::string expected = "{" + entry("z", "F64", "[1]", 0, 8) + "," + entry("b", "I32", "[1]", 8, 12) + "," +
                               entry("c", "F32", "[1]", 12, 16) + "," + entry("a", "U8", "[1]", 16, 17) + "}";
  CHECK(content.substr(8, expected.size()) == expected);
  CHECK(content.substr(8 + expected.size(), header - expected.size()).find_first_not_of(' ') == std::string::npos);
}

TEST_CASE("safetensors: files that are too short or too long") {
  CHECK(holds(error_for_file(""), "0 bytes", "at least 8"));
  CHECK(holds(error_for_file("1234567"), "7 bytes"));
  CHECK(holds(error_for_file(with_length("{}", "", 3)), "10 bytes", "needs 11"));
  CHECK(holds(error_for_file(with_length("{}", "", 100'000'001)), "at most 100000000"));
  CHECK(holds(error_for_file(with_length("{}", "", UINT64_MAX)), "at most 100000000"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[4]", 0, 4) + "}", 3), "end at data byte 4", "at 3"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[4]", 0, 4) + "}", 5), "end at data byte 4", "at 5"));
  CHECK(holds(error_for("{}", 1), "at 1"));
}

TEST_CASE("safetensors: headers that are no JSON object") {
  CHECK(holds(error_for(""), "'{'"));
  CHECK(holds(error_for(" {}"), "'{'"));
  CHECK(holds(error_for("[]"), "'{'"));
  CHECK(holds(error_for("{"), "not JSON"));
  CHECK(holds(error_for("{} x"), "not JSON"));
  CHECK(holds(error_for("{\"a\":}"), "not JSON"));
  CHECK(holds(error_for(std::string("{}\0{}", 5)), "not JSON", "zero byte"));
  CHECK(holds(error_for("{\"__metadata__\":{\"a\":\"\xC3\x28\"}}"), "not JSON"));
  CHECK(holds(error_for("{\"\xFF\":{}}"), "not JSON"));
}

TEST_CASE("safetensors: duplicate keys, at every level") {
  const std::string a = entry("a", "U8", "[0]", 0, 0);
  CHECK(holds(error_for("{" + a + "," + a + "}"), "'a'", "twice"));
  CHECK(holds(error_for("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"), "'k'", "twice"));
  CHECK(holds(error_for("{\"__metadata__\":{},\"__metadata__\":{}}"), "twice"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"), "twice"));
  CHECK(error_for("{" + a + "," + entry("b", "U8", "[0]", 0, 0) + "}") == "no error");
}

TEST_CASE("safetensors: entries that are not what they should be") {
  CHECK(holds(error_for("{\"a\":1}"), "'a'", "no object"));
  CHECK(holds(error_for("{\"a\":{}}"), "'a'", "no dtype"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}"), "no shape"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}"), "no data_offsets"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":8,\"shape\":[0],\"data_offsets\":[0,0]}}"), "dtype"));
  CHECK(holds(error_for("{" + entry("a", "F7", "[0]", 0, 0) + "}"), "unknown dtype 'F7'"));
  CHECK(holds(error_for("{" + entry("a", "f32", "[0]", 0, 0) + "}"), "unknown dtype 'f32'"));
  CHECK(holds(error_for("{" + entry("a", "U8", "3", 0, 3) + "}", 3), "shape"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[-1]", 0, 1) + "}", 1), "shape", "-1"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[1.5]", 0, 1) + "}", 1), "shape", "1.5"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) + "}", 1), "9 dimensions"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1), "data_offsets"));
  CHECK(holds(error_for("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1), "data_offsets"));
  CHECK(holds(error_for("{\"__metadata__\":[]}"), "__metadata__"));
  CHECK(holds(error_for("{\"__metadata__\":{\"k\":1}}"), "__metadata__", "'k'"));
}

TEST_CASE("safetensors: gaps, overlaps and sizes that do not fit") {
  const std::string a = entry("a", "U8", "[4]", 0, 4);
  CHECK(holds(error_for("{" + a + "," + entry("b", "U8", "[2]", 5, 7) + "}", 7), "'b'", "gap"));
  CHECK(holds(error_for("{" + a + "," + entry("b", "U8", "[2]", 3, 5) + "}", 5), "'b'", "overlap"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[2]", 1, 3) + "}", 3), "'a'", "gap"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[4]", 4, 0) + "}", 4), "'a'", "before it begins"));
  CHECK(holds(error_for("{" + entry("a", "F32", "[2]", 0, 4) + "}", 4), "needs 8 bytes", "give 4"));
  CHECK(holds(error_for("{" + entry("a", "F32", "[4611686018427387904,4]", 0, 4) + "}", 4), "2^63"));
  CHECK(holds(error_for("{" + entry("a", "U8", "[18446744073709551615]", 0, 4) + "}", 4), "shape"));
}

TEST_CASE("safetensors: legal but unusual files") {
  CHECK(error_for("{}") == "no error");
  CHECK(error_for("{}     ") == "no error");
  CHECK(error_for("{" + entry("a", "BF16", "[]", 0, 2) + "}", 2) == "no error");
  CHECK(error_for("{" + entry("a", "F64", "[3,0,2]", 0, 0) + "}") == "no error");
  CHECK(error_for("{" + entry("b", "U8", "[2]", 4, 6) + "," + entry("a", "F32", "[1]", 0, 4) + "}", 6) == "no error");
}

TEST_CASE("safetensors: data that is not aligned is copied and right") {
  const TemporaryFolder folder;
  const std::string header = "{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("b", "F32", "[2]", 1, 9) + "}";
  const float values[] = {1.25f, -7};
  std::string data(9, '\x2A');
  std::memcpy(data.data() + 1, values, sizeof(values));
  write_file(folder / "a", with_length(header, data, header.size()));
  const Tensor tensor = read_safetensors(folder / "a").at("b");
  CHECK(reinterpret_cast<uintptr_t>(tensor.data<float>()) % alignof(float) == 0);
  CHECK(tensor.data<float>()[0] == 1.25f);
  CHECK(tensor.data<float>()[1] == -7);
}

TEST_CASE("safetensors: what cannot be written is refused and leaves no file") {
  const TemporaryFolder folder;
  TensorFile file;
  file.metadata["bad"] = "\xFF";
  CHECK(holds(error_of([&] { write_safetensors(folder / "a", file); }), "UTF-8"));
  file.metadata.clear();
  file.tensors["x"] = Tensor();
  CHECK(holds(error_of([&] { write_safetensors(folder / "a", file); }), "'x'", "empty"));
  CHECK(!std::filesystem::exists(folder / "a"));
}
