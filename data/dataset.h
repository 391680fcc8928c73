// A labelled set of face images in memory, and the readers that fill it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace fer {

// Which official part a sample belongs to; `none` when the source has no official split.
enum class Part : uint8_t { none, train, public_test, private_test };

struct Dataset {
  std::vector<std::string> classes;             // names, in label order
  Tensor images;                                // u8 [N,H,W,C], or f32 in [0,1] (adversarial sets)
  Tensor labels;                                // i32 [N], each in 0 … classes - 1
  Tensor targets;                               // f32 [N,classes] FER+ distributions; empty for plain labels
  bool multi_target = false;                    // targets mark every acceptable class (FER+ multi-target loss)
  std::vector<Part> parts;                      // [N]
  std::vector<std::string> subjects;            // [N], or empty when unknown
  std::vector<std::string> names;               // [N]: file, or "row 12": where the sample came from
  std::map<std::string, std::string> metadata;  // provenance: source, attack, eps, seed, model digest, …

  int64_t size() const { return images.empty() ? 0 : images.shape()[0]; }
  int64_t height() const { return images.shape()[1]; }
  int64_t width() const { return images.shape()[2]; }
  int64_t channels() const { return images.shape()[3]; }
};

// How FER+ votes become labels; `none` keeps FER2013's own.
enum class FerPlusMode { none, majority, probability, crossentropy, multitarget, argmax10 };

struct DatasetOptions {
  std::filesystem::path ferplus{};  // fer2013new.csv; used with a FER2013 .csv only
  FerPlusMode mode = FerPlusMode::none;
  uint64_t seed = 0;  // of synthetic faces
};

FerPlusMode parse_ferplus_mode(std::string_view text);

// DATA as the program takes it: "synthetic[:N]", a FER2013 .csv, a .safetensors set, or a folder of class folders
// (with or without train/ and test/). Throws Error naming the file and place of any fault.
Dataset open_dataset(const std::string& specification, const DatasetOptions& options = {});

// FER2013 in both of Kaggle's forms: columns emotion,pixels,Usage in any order, spaces before names allowed.
Dataset read_fer2013(const std::filesystem::path& csv, const DatasetOptions& options = {});

// A folder of class folders of PNG or JPEG images, all of one size (or resized to the first one's when they differ is
// an error). Class folders in the field's order when they are FER2013's or CK+'s names, else alphabetical. Subjects are
// read from CK+ names S<subject>_<sequence>_<frame>. Grey images give one channel.
Dataset read_image_folder(const std::filesystem::path& folder);

// Sets written by write_dataset: tensors images, labels, optional targets; the rest in metadata.
Dataset read_dataset(const std::filesystem::path& safetensors);
void write_dataset(const std::filesystem::path& safetensors, const Dataset& dataset);

// The other directions of `fer data export`: Kaggle's csv (48x48x1 u8 only), and class folders of PNG files.
void write_csv(const std::filesystem::path& csv, const Dataset& dataset);
void write_image_folder(const std::filesystem::path& folder, const Dataset& dataset);

// `count` procedurally drawn 48x48 grey faces of FER2013's seven expressions, a third of them Part::private_test
// and subject-disjoint from the rest. Face i depends only on (seed, i).
Dataset synthetic_faces(int64_t count, uint64_t seed);

// The samples at `indices`, in that order.
Dataset select(const Dataset& dataset, const std::vector<int32_t>& indices);

// The pixels as f32 in [0,1]: u8 divided by 255, as `decode` does in a graph. f32 sets come back as they are.
Tensor unit_images(const Dataset& dataset);

// A hash of classes, images and labels in hexadecimal, to name the data a run was made with.
std::string digest(const Dataset& dataset);

}  // namespace fer
