#include "tensor/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tensor/file.h"

namespace fer {

namespace {

using nlohmann::json;

constexpr uint64_t max_header_bytes = 100'000'000;

struct DTypeName {
  DType dtype;
  std::string_view name;
};

constexpr DTypeName dtype_names[] = {
    {DType::f64, "F64"}, {DType::f32, "F32"}, {DType::f16, "F16"},     {DType::bf16, "BF16"}, {DType::i64, "I64"},
    {DType::u64, "U64"}, {DType::i32, "I32"}, {DType::u32, "U32"},     {DType::i16, "I16"},   {DType::u16, "U16"},
    {DType::i8, "I8"},   {DType::u8, "U8"},   {DType::boolean, "BOOL"}};

// One tensor of the header, with its place in the data.
struct Entry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Reads one file's header; every error begins with the file's name.
class HeaderReader {
 public:
  HeaderReader(const std::filesystem::path& path, std::string_view file) : path_(path), file_(file) {}

  // Entries by ascending offset.
  std::vector<Entry> read(std::map<std::string, std::string>& metadata);

  // The bytes after the header.
  std::string_view data() const { return file_.substr(data_begin_); }

 private:
  template <class... Parts>
  [[noreturn]] void reject(const Parts&... parts) const {
    fail("safetensors: ", path_.string(), ": ", parts...);
  }

  std::string_view header_text();
  json parse(std::string_view text) const;
  std::map<std::string, std::string> read_metadata(const json& value) const;
  Entry read_entry(const std::string& name, const json& value) const;
  DType read_dtype(const std::string& name, const json& value) const;
  void check_layout(const std::vector<Entry>& entries) const;

  const std::filesystem::path& path_;
  std::string_view file_;
  size_t data_begin_ = 0;
};

std::string_view HeaderReader::header_text() {
  uint64_t header_bytes = 0;
  if (file_.size() < sizeof(header_bytes)) {
    reject("the file has ", file_.size(), " bytes, a safetensors file has at least 8");
  }
  std::memcpy(&header_bytes, file_.data(), sizeof(header_bytes));
  if (header_bytes > max_header_bytes) {
    reject("the header would have ", header_bytes, " bytes, at most ", max_header_bytes, " are allowed");
  }
  if (header_bytes > file_.size() - sizeof(header_bytes)) {
    reject("the file has ", file_.size(), " bytes, its header alone needs ", sizeof(header_bytes) + header_bytes);
  }
  data_begin_ = sizeof(header_bytes) + static_cast<size_t>(header_bytes);
  return file_.substr(sizeof(header_bytes), static_cast<size_t>(header_bytes));
}

json HeaderReader::parse(std::string_view text) const {
  if (text.empty() || text.front() != '{') {
    reject("the header does not begin with '{'");
  }
  // The parser would take a zero byte for the end of its input and overlook what follows.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    reject("the header is not JSON: zero byte at header byte ", zero);
  }
  std::vector<std::set<std::string>> keys;
  const auto refuse_duplicates = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      reject("the key '", parsed.get<std::string>(), "' stands twice in the header");
    }
    return true;
  };
  try {
    return json::parse(text, refuse_duplicates);
  } catch (const json::exception& error) {
    reject("the header is not JSON: ", error.what());
  }
}

std::map<std::string, std::string> HeaderReader::read_metadata(const json& value) const {
  if (!value.is_object()) {
    reject("__metadata__ is no object");
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      reject("__metadata__: the value of '", key, "' is no string");
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

DType HeaderReader::read_dtype(const std::string& name, const json& value) const {
  if (!value.is_string()) {
    reject("tensor '", name, "': dtype is no string");
  }
  const auto text = value.get<std::string>();
  const auto* found = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                   [&](const DTypeName& candidate) { return candidate.name == text; });
  if (found == std::end(dtype_names)) {
    reject("tensor '", name, "': unknown dtype '", text, "'");
  }
  return found->dtype;
}

Entry HeaderReader::read_entry(const std::string& name, const json& value) const {
  if (!value.is_object()) {
    reject("tensor '", name, "' is no object");
  }
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!value.contains(key)) {
      reject("tensor '", name, "' has no ", key);
    }
  }
  Entry entry;
  entry.name = name;
  entry.dtype = read_dtype(name, value["dtype"]);

  const json& shape = value["shape"];
  if (!shape.is_array()) {
    reject("tensor '", name, "': shape is no array");
  }
  std::vector<int64_t> extents;
  int64_t expected_bytes = size_of(entry.dtype);
  for (const json& extent : shape) {
    if (!extent.is_number_unsigned() || extent.get<uint64_t>() > INT64_MAX) {
      reject("tensor '", name, "': shape holds ", extent.dump(), ", not a count");
    }
    extents.push_back(extent.get<int64_t>());
    if (__builtin_mul_overflow(expected_bytes, extents.back(), &expected_bytes)) {
      reject("tensor '", name, "': shape ", shape.dump(), " has more than 2^63 bytes");
    }
  }
  if (extents.size() > static_cast<size_t>(Shape::max_rank)) {
    reject("tensor '", name, "' has ", extents.size(), " dimensions, at most ", Shape::max_rank, " are supported");
  }
  entry.shape = Shape(std::span<const int64_t>(extents));

  const json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    reject("tensor '", name, "': data_offsets is ", offsets.dump(), ", not [begin, end]");
  }
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  if (entry.end < entry.begin) {
    reject("tensor '", name, "' ends at byte ", entry.end, ", before it begins at ", entry.begin);
  }
  if (entry.end - entry.begin != static_cast<uint64_t>(expected_bytes)) {
    reject("tensor '", name, "': ", fer::name_of(entry.dtype), " ", entry.shape, " needs ", expected_bytes,
           " bytes, data_offsets give ", entry.end - entry.begin);
  }
  return entry;
}

void HeaderReader::check_layout(const std::vector<Entry>& entries) const {
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end) {
      reject("tensor '", entry.name, "' begins at data byte ", entry.begin, ", the one before ends at ", end,
             entry.begin > end ? " (gap)" : " (overlap)");
    }
    end = entry.end;
  }
  if (end != data().size()) {
    reject("the tensors end at data byte ", end, ", the file's data at ", data().size());
  }
}

std::vector<Entry> HeaderReader::read(std::map<std::string, std::string>& metadata) {
  const json header = parse(header_text());
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      metadata = read_metadata(value);
    } else {
      entries.push_back(read_entry(name, value));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_layout(entries);
  return entries;
}

// A JSON string; throws naming the file when the text is not UTF-8.
std::string quoted(const std::filesystem::path& path, const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    fail("safetensors: ", path.string(), ": a name or metadata text is not UTF-8");
  }
}

std::string_view file_name_of(DType dtype) {
  return std::find_if(std::begin(dtype_names), std::end(dtype_names),
                      [&](const DTypeName& candidate) { return candidate.dtype == dtype; })
      ->name;
}

std::string header_for(const std::filesystem::path& path, const TensorFile& file,
                       const std::vector<const std::pair<const std::string, Tensor>*>& order) {
  std::string header = "{";
  const auto separate = [&] {
    if (header.back() != '{') {
      header += ',';
    }
  };
  if (!file.metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, text] : file.metadata) {
      separate();
      header += quoted(path, key) + ":" + quoted(path, text);
    }
    header += "}";
  }
  int64_t offset = 0;
  for (const auto* named : order) {
    const auto& [name, tensor] = *named;
    separate();
    header += quoted(path, name) + ":{\"dtype\":\"" + std::string(file_name_of(tensor.dtype())) +
              "\",\"shape\":" + to_string(tensor.shape()) + ",\"data_offsets\":[" + std::to_string(offset) + "," +
              std::to_string(offset + tensor.bytes()) + "]}";
    offset += tensor.bytes();
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > max_header_bytes) {
    fail("safetensors: ", path.string(), ": the header needs ", header.size(), " bytes, at most ", max_header_bytes,
         " are allowed");
  }
  return header;
}

}  // namespace

const Tensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    fail("safetensors: ", source.empty() ? "the set in memory" : source.string(), " holds no tensor '", name, "'");
  }
  return found->second;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto mapping = std::make_shared<const MappedFile>(path);
  TensorFile file;
  file.source = path;
  HeaderReader header(path, mapping->text());
  for (const Entry& entry : header.read(file.metadata)) {
    const char* data = header.data().data() + entry.begin;
    const bool aligned = reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(size_of(entry.dtype)) == 0;
    if (aligned) {
      file.tensors[entry.name] = Tensor({const_cast<char*>(data), entry.dtype, entry.shape}, mapping);
    } else {
      Tensor copy(entry.dtype, entry.shape);
      std::memcpy(copy.view().data, data, static_cast<size_t>(copy.bytes()));
      file.tensors[entry.name] = copy;
    }
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& named : file.tensors) {
    if (named.second.empty() || named.first == "__metadata__") {
      fail("safetensors: ", path.string(), ": tensor '", named.first,
           named.second.empty() ? "' is empty" : "' has the name of the metadata");
    }
    order.push_back(&named);
  }
  // The map is in order of names already.
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype()) > size_of(b->second.dtype());
  });
  const std::string header = header_for(path, file, order);
  const uint64_t header_bytes = header.size();
  AtomicFile out(path);
  out.write(&header_bytes, sizeof(header_bytes));
  out.write(header);
  for (const auto* named : order) {
    out.write(named->second.view().data, static_cast<size_t>(named->second.bytes()));
  }
  out.commit();
}

}  // namespace fer
