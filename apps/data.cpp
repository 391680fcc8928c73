// fer data info|synth|export
#include <algorithm>
#include <cmath>
#include <iostream>

#include "apps/common.h"
#include "data/distort.h"
#include "data/image.h"

namespace fer {

namespace {

constexpr const char* part_names[] = {"all", "train", "public test", "private test"};

nlohmann::json describe(const Dataset& dataset) {
  nlohmann::json counts = nlohmann::json::object();
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string& name = dataset.classes[static_cast<size_t>(dataset.labels.data<int32_t>()[i])];
    const Part part = dataset.parts.empty() ? Part::none : dataset.parts[static_cast<size_t>(i)];
    auto& count = counts[part_names[static_cast<int>(part)]][name];
    count = count.is_null() ? 1 : count.get<int64_t>() + 1;
  }
  const Duplicates duplicates = find_duplicates(dataset);
  const auto subjects = [&] {
    std::vector<std::string> all = dataset.subjects;
    std::sort(all.begin(), all.end());
    return std::unique(all.begin(), all.end()) - all.begin();
  }();
  return {{"images", dataset.size()},
          {"shape", {dataset.height(), dataset.width(), dataset.channels()}},
          {"pixels", std::string(name_of(dataset.images.dtype()))},
          {"classes", dataset.classes},
          {"counts", counts},
          {"subjects", subjects},
          {"duplicate_groups", duplicates.groups},
          {"duplicate_groups_with_conflicting_labels", duplicates.conflicting_groups},
          {"images_in_duplicate_groups", duplicates.images},
          {"flat_images", flat_images(dataset).size()},
          {"digest", digest(dataset)},
          {"metadata", dataset.metadata}};
}

void print(const nlohmann::json& info) {
  const auto classes = info["classes"].get<std::vector<std::string>>();
  const auto shape = info["shape"].get<std::vector<int64_t>>();
  std::printf("%ld images of %ldx%ldx%ld (%s), digest %s\n", info["images"].get<int64_t>(), shape[0], shape[1],
              shape[2], info["pixels"].get<std::string>().c_str(), info["digest"].get<std::string>().c_str());
  std::printf("%-14s", "");
  for (const auto& [part, counts] : info["counts"].items()) {
    std::printf(" %13s", part.c_str());
  }
  std::printf("\n");
  for (const std::string& name : classes) {
    std::printf("%-14s", name.c_str());
    for (const auto& [part, counts] : info["counts"].items()) {
      std::printf(" %13ld", counts.value(name, int64_t{0}));
    }
    std::printf("\n");
  }
  if (info["subjects"].get<int64_t>() > 0) {
    std::printf("%ld subjects\n", info["subjects"].get<int64_t>());
  }
  std::printf("%ld groups of identical images (%ld images; %ld groups with conflicting labels), %ld flat images\n",
              info["duplicate_groups"].get<int64_t>(), info["images_in_duplicate_groups"].get<int64_t>(),
              info["duplicate_groups_with_conflicting_labels"].get<int64_t>(), info["flat_images"].get<int64_t>());
}

// One distortion on all images, or a style of paper 004 on five equal sections, a kind on each. What leaves [0,1] is
// clipped: these are pictures to look at or to store.
Dataset distorted(Dataset dataset, const std::string& name, uint64_t seed) {
  const std::vector<Distortion> all = parse_distortion(name);
  if (all.size() != 1 && all.front().severity > 0) {
    fail("--distort ", name, ": names ", all.size(), " distortions; choose one, such as ", name_of(all.front()));
  }
  const Tensor clean = unit_images(dataset);
  const std::vector<int64_t> bounds = section_bounds(dataset.size(), static_cast<int64_t>(all.size()));
  const int64_t pixels = clean.size() / dataset.size();
  Tensor result(DType::f32, clean.shape());
  for (size_t k = 0; k < all.size(); ++k) {
    const Tensor whole = distort(clean, all[k], seed);
    std::transform(whole.data<float>() + bounds[k] * pixels, whole.data<float>() + bounds[k + 1] * pixels,
                   result.data<float>() + bounds[k] * pixels, [](float x) { return std::clamp(x, 0.0f, 1.0f); });
  }
  if (dataset.images.dtype() == DType::u8) {
    for (float& pixel : result.as<float>()) {
      pixel = std::round(255 * pixel);
    }
    result = result.converted(DType::u8);
  }
  dataset.images = result;
  dataset.metadata["distortion"] = name;
  dataset.metadata["distortion_seed"] = std::to_string(seed);
  return dataset;
}

struct Command {
  DataOptions data;
  std::string montage_file, out, distortion;
  int64_t count = 10000;
  int columns = 12;
  bool json = false;

  void write_montage(const Dataset& dataset) const {
    if (!montage_file.empty()) {
      write_png(montage_file, montage(dataset, columns));
      std::cerr << "montage: " << montage_file << "\n";
    }
  }

  void info() const {
    const Dataset dataset = data.open();
    const nlohmann::json description = describe(dataset);
    if (json) {
      std::cout << description.dump(2) << "\n";
    } else {
      print(description);
    }
    write_montage(dataset);
  }

  void store(const Dataset& dataset) const {
    const std::filesystem::path path = out;
    if (path.extension() == ".safetensors") {
      write_dataset(path, dataset);
    } else if (path.extension() == ".csv") {
      write_csv(path, dataset);
    } else {
      write_image_folder(path, dataset);
    }
    std::cout << dataset.size() << " images written to " << out << "\n";
    write_montage(dataset);
  }
};

void add_montage(CLI::App& command, Command& options) {
  command.add_option("--montage", options.montage_file, "also write a contact sheet, a row a class (PNG)");
  command.add_option("--columns", options.columns, "of the contact sheet")->capture_default_str();
}

}  // namespace

void add_data_command(CLI::App& program) {
  CLI::App* group = program.add_subcommand("data", "look at data, draw synthetic faces, convert");
  group->require_subcommand(1);
  auto options = std::make_shared<Command>();

  CLI::App* info = group->add_subcommand("info", "counts per class and part, duplicates, flat images");
  options->data.add_to(*info, true);
  info->add_flag("--json", options->json, "one JSON object on standard output");
  add_montage(*info, *options);
  info->callback([options] { options->info(); });

  CLI::App* synth = group->add_subcommand("synth", "draw synthetic faces into a set");
  synth->add_option("--count", options->count, "faces")->capture_default_str();
  synth->add_option("--seed", options->data.seed, "of the faces");
  synth->add_option("--out", options->out, "a .safetensors, a .csv, or a folder to write")->required();
  add_montage(*synth, *options);
  synth->callback([options] {
    if (options->count < 1) {
      fail("--count ", options->count, ": must be at least 1");
    }
    options->store(synthetic_faces(options->count, options->data.seed));
  });

  auto exported = std::make_shared<Command>();
  CLI::App* convert = group->add_subcommand("export", "convert between csv, folders and safetensors");
  exported->data.add_to(*convert, true);
  convert->add_option("--out", exported->out, "a .safetensors, a .csv, or a folder to write")->required();
  add_montage(*convert, *exported);
  convert->add_option("--distort", exported->distortion,
                      "distort the pictures: STYLE/KIND[:SEVERITY], or cited, cited-255 or clean for five equal "
                      "sections (see fer eval --distort)");
  convert->callback([exported] {
    const Dataset dataset = exported->data.open();
    exported->store(exported->distortion.empty() ? dataset
                                                 : distorted(dataset, exported->distortion, exported->data.seed));
  });
}

}  // namespace fer
