#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "data/class_names.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/part.h"
#include "tensor/parallel_throwing.h"

namespace fer {

namespace {

namespace fs = std::filesystem;

struct ImageFile {
  fs::path path;
  std::string class_name;
  Part part = Part::none;
};

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The part that a folder name such as "train" stands for.
std::optional<Part> part_of_folder(const std::string& name) {
  static const std::map<std::string, Part> parts{
      {"train", Part::train},       {"training", Part::train},         {"val", Part::public_test},
      {"valid", Part::public_test}, {"validation", Part::public_test}, {"publictest", Part::public_test},
      {"test", Part::private_test}, {"testing", Part::private_test},   {"privatetest", Part::private_test}};
  const auto found = parts.find(lower_case(name));
  return found == parts.end() ? std::nullopt : std::optional(found->second);
}

// Kaggle's folders put PublicTest_… and PrivateTest_… files together in test/.
Part part_of_file(const std::string& name, Part folder_part) {
  if (folder_part == Part::none) {
    return Part::none;
  }
  return part_of_usage(name.substr(0, name.find('_'))).value_or(folder_part);
}

bool is_image_name(const fs::path& path) {
  const std::string extension = lower_case(path.extension().string());
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

// Entries of a folder in order of their names, without hidden ones and archives' leftovers (__MACOSX).
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    const std::string name = next->path().filename().string();
    if (!name.starts_with(".") && !name.starts_with("__")) {
      entries.push_back(next->path());
    }
  }
  if (error) {
    fail("image folder: cannot read ", folder.string(), ": ", error.message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<fs::path> folders_of(const fs::path& folder) {
  std::vector<fs::path> folders = entries_of(folder);
  std::erase_if(folders, [](const fs::path& path) { return !fs::is_directory(path); });
  return folders;
}

void collect_classes(const fs::path& folder, Part part, std::set<std::string>& classes, std::vector<ImageFile>& files) {
  for (const fs::path& class_folder : folders_of(folder)) {
    const std::string class_name = class_folder.filename().string();
    classes.insert(class_name);
    for (const fs::path& path : entries_of(class_folder)) {
      if (is_image_name(path)) {
        files.push_back({path, class_name, part_of_file(path.filename().string(), part)});
      }
    }
  }
}

std::vector<ImageFile> collect(const fs::path& folder, std::set<std::string>& classes) {
  std::vector<ImageFile> files;
  std::vector<fs::path> part_folders = folders_of(folder);
  std::vector<fs::path> others = part_folders;
  const auto is_part = [](const fs::path& path) { return part_of_folder(path.filename().string()).has_value(); };
  std::erase_if(part_folders, [&](const fs::path& path) { return !is_part(path); });
  std::erase_if(others, is_part);
  if (part_folders.empty()) {
    collect_classes(folder, Part::none, classes, files);
  } else if (!others.empty()) {
    fail("image folder: ", folder.string(), " holds '", part_folders.front().filename().string(), "' and '",
         others.front().filename().string(), "': expected class folders, or train and test folders of class folders");
  }
  for (const fs::path& part_folder : part_folders) {
    collect_classes(part_folder, *part_of_folder(part_folder.filename().string()), classes, files);
  }
  if (files.empty()) {
    fail("image folder: ", folder.string(), " holds no PNG or JPEG images in class folders");
  }
  return files;
}

// The field's order where all names are one data set's, else alphabetical. Upper and lower case count the same.
std::vector<std::string> ordered(const std::set<std::string>& classes) {
  for (const std::vector<std::string>& known : {fer2013_classes(), ck_classes(), ferplus_classes()}) {
    std::map<size_t, std::string> places;
    for (const std::string& name : classes) {
      const auto found = std::find_if(known.begin(), known.end(), [&](const std::string& candidate) {
        return lower_case(candidate) == lower_case(name);
      });
      if (found != known.end()) {
        places[static_cast<size_t>(found - known.begin())] = name;
      }
    }
    if (places.size() == classes.size()) {
      std::vector<std::string> names;
      for (const auto& [place, name] : places) {
        names.push_back(name);
      }
      return names;
    }
  }
  return {classes.begin(), classes.end()};
}

// The subject of a CK+ file S<subject>_<sequence>_<frame>; empty for other names.
std::string ck_subject(const std::string& name) {
  const size_t first = name.find('_');
  const size_t second = first == std::string::npos ? first : name.find('_', first + 1);
  const auto digits = [&](size_t begin, size_t end) {
    return begin < end && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin),
                                      name.begin() + static_cast<std::ptrdiff_t>(end),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
  };
  const bool is_ck = second != std::string::npos && name[0] == 'S' && digits(1, first) && digits(first + 1, second);
  return is_ck ? name.substr(0, first) : "";
}

std::vector<Tensor> read_images(const std::vector<ImageFile>& files) {
  std::vector<Tensor> images(files.size());
  parallel_throwing(static_cast<int64_t>(files.size()), 16, [&](int64_t i) {
    images[static_cast<size_t>(i)] = read_image(files[static_cast<size_t>(i)].path);
  });
  return images;
}

// [N,H,W,C] of images of one size; grey ones are replicated where others have three channels.
Tensor stacked(const std::vector<ImageFile>& files, const std::vector<Tensor>& images) {
  const Shape& first = images.front().shape();
  int64_t channels = 1;
  for (size_t i = 0; i < images.size(); ++i) {
    const Shape& shape = images[i].shape();
    if (shape[0] != first[0] || shape[1] != first[1]) {
      fail("image folder: ", files[i].path.string(), " is ", shape[1], " x ", shape[0], ", ",
           files.front().path.string(), " is ", first[1], " x ", first[0], "; all images must have one size");
    }
    channels = std::max(channels, shape[2]);
  }
  Tensor result(DType::u8, {static_cast<int64_t>(images.size()), first[0], first[1], channels});
  uint8_t* to = result.data<uint8_t>();
  for (const Tensor& image : images) {
    const int64_t repeat = channels / image.shape()[2];
    for (uint8_t pixel : image.as<uint8_t>()) {
      to = std::fill_n(to, repeat, pixel);
    }
  }
  return result;
}

}  // namespace

Dataset read_image_folder(const fs::path& folder) {
  std::set<std::string> classes;
  const std::vector<ImageFile> files = collect(folder, classes);
  Dataset dataset;
  dataset.classes = ordered(classes);
  dataset.images = stacked(files, read_images(files));
  dataset.labels = Tensor(DType::i32, {static_cast<int64_t>(files.size())});
  int32_t* label = dataset.labels.data<int32_t>();
  for (const ImageFile& file : files) {
    *label++ = static_cast<int32_t>(std::find(dataset.classes.begin(), dataset.classes.end(), file.class_name) -
                                    dataset.classes.begin());
    dataset.parts.push_back(file.part);
    dataset.names.push_back(file.path.lexically_relative(folder).generic_string());
    dataset.subjects.push_back(ck_subject(file.path.filename().string()));
  }
  // Subjects are known for all samples or not at all: a half-known split by subject would leak.
  if (std::count(dataset.subjects.begin(), dataset.subjects.end(), "") != 0) {
    dataset.subjects.clear();
  }
  const fs::path named = folder.has_filename() ? folder : folder.parent_path();
  dataset.metadata["source"] = named.filename().string();
  return dataset;
}

void write_image_folder(const fs::path& folder, const Dataset& dataset) {
  const bool with_parts =
      std::any_of(dataset.parts.begin(), dataset.parts.end(), [](Part part) { return part != Part::none; });
  std::set<fs::path> made;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const size_t index = static_cast<size_t>(i);
    const std::string& class_name = dataset.classes[static_cast<size_t>(dataset.labels.data<int32_t>()[i])];
    std::string number = std::to_string(i);
    number.insert(0, 8 - std::min<size_t>(8, number.size()), '0');
    fs::path target = folder;
    std::string name = number + ".png";
    if (with_parts) {
      const Part part = dataset.parts[index];
      target /= part == Part::train || part == Part::none ? "train" : "test";
      name = std::string(usage_of(part == Part::none ? Part::train : part)) + "_" + name;
    } else if (!dataset.subjects.empty()) {
      // CK+'s form of name, which reading takes the subject from.
      const std::string& subject = dataset.subjects[index];
      name = ck_subject(subject + "_000_").empty() ? name : subject + "_000_" + name;
    }
    target /= class_name;
    if (made.insert(target).second) {
      std::error_code error;
      fs::create_directories(target, error);
      if (error) {
        fail("image folder: cannot make ", target.string(), ": ", error.message());
      }
    }
    write_png(target / name, image_at(dataset, i));
  }
}

}  // namespace fer
