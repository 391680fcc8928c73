// fer predict
#include <algorithm>
#include <iostream>
#include <map>

#include "apps/common.h"
#include "apps/faces.h"

namespace fer {

namespace {

struct Prediction {
  std::string file;
  std::vector<float> probabilities;

  size_t best() const {
    return static_cast<size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
  }
};

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

struct PredictCommand {
  std::string run;
  std::vector<std::string> paths;
  DeviceOptions device;
  bool csv = false, json = false;

  void run_it() {
    const LoadedNetwork loaded = device.load(run);
    const ModelOptions& options = loaded.saved.options;
    const int64_t side = trained_side(run, options);
    std::map<std::vector<int64_t>, Classifier> classifiers;  // one for each size of pictures
    std::vector<Prediction> all;
    for (const std::filesystem::path& file : pictures()) {
      const Tensor face = read_face(file, options, side);
      const Shape& shape = face.shape();
      const auto classifier = classifiers
                                  .try_emplace({shape[1], shape[2], shape[3]}, loaded.network,
                                               Shape{shape[1], shape[2], shape[3]}, DType::u8, 1)
                                  .first;
      all.push_back({file.string(), classifier->second.probabilities(face)});
    }
    if (json) {
      print_json(all, loaded.saved.classes);
    } else if (csv) {
      print_csv(all, loaded.saved.classes);
    } else {
      for (const Prediction& one : all) {
        std::printf("%-14s %6.1f%%  %s\n", loaded.saved.classes[one.best()].c_str(),
                    100 * static_cast<double>(one.probabilities[one.best()]), one.file.c_str());
      }
    }
    device.announce(loaded.network.device);
  }

  // The files given, and those in folders and below, by name.
  std::vector<std::filesystem::path> pictures() const {
    std::vector<std::filesystem::path> files;
    for (const std::filesystem::path path : paths) {
      if (!std::filesystem::is_directory(path)) {
        files.push_back(path);
        continue;
      }
      std::vector<std::filesystem::path> inside;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.is_regular_file() && is_picture(entry.path())) {
          inside.push_back(entry.path());
        }
      }
      if (inside.empty()) {
        fail("predict: ", path.string(), " holds no PNG or JPEG pictures");
      }
      std::sort(inside.begin(), inside.end());
      files.insert(files.end(), inside.begin(), inside.end());
    }
    return files;
  }

  static void print_json(const std::vector<Prediction>& all, const std::vector<std::string>& classes) {
    nlohmann::json images = nlohmann::json::array();
    for (const Prediction& one : all) {
      nlohmann::json probabilities = nlohmann::json::object();
      for (size_t c = 0; c < classes.size(); ++c) {
        probabilities[classes[c]] = one.probabilities[c];
      }
      images.push_back({{"file", one.file},
                        {"prediction", classes[one.best()]},
                        {"confidence", one.probabilities[one.best()]},
                        {"probabilities", probabilities}});
    }
    std::cout << nlohmann::json{{"classes", classes}, {"images", images}}.dump(2) << "\n";
  }

  static void print_csv(const std::vector<Prediction>& all, const std::vector<std::string>& classes) {
    std::cout << "file,prediction,confidence";
    for (const std::string& name : classes) {
      std::cout << "," << csv_field(name);
    }
    std::cout << "\n";
    for (const Prediction& one : all) {
      std::cout << csv_field(one.file) << "," << csv_field(classes[one.best()]) << "," << one.probabilities[one.best()];
      for (float probability : one.probabilities) {
        std::cout << "," << probability;
      }
      std::cout << "\n";
    }
  }
};

}  // namespace

void add_predict_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("predict", "name the expression in pictures of faces");
  auto options = std::make_shared<PredictCommand>();
  command->add_option("run", options->run, "a run folder or a weights file")->required();
  command->add_option("pictures", options->paths, "PNG or JPEG files, or folders of them; each picture one face")
      ->required();
  options->device.add_to(*command);
  CLI::Option* csv = command->add_flag("--csv", options->csv, "a row a picture, with every class's probability");
  command->add_flag("--json", options->json, "one JSON object on standard output")->excludes(csv);
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
