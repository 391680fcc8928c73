// fer explain
#include <algorithm>
#include <iostream>

#include "analysis/gradcam.h"
#include "apps/attacks.h"
#include "apps/faces.h"
#include "apps/run_folder.h"
#include "data/image.h"
#include "tensor/safetensors.h"

namespace fer {

namespace {

constexpr int64_t explained_at_once = 16;
constexpr int64_t picture_side = 192;  // overlays are drawn at least this large

// What the network makes of a set of images, and where it looks.
struct Explanation {
  std::vector<int32_t> predicted;
  std::vector<float> confidence;
  std::vector<int32_t> explained;  // class of each map
  Tensor maps;                     // f32 [n,h,w,1], raw
  Tensor heat;                     // the same at the images' size, each from 0 to 1
};

Tensor to_i64(const std::vector<int32_t>& values) {
  return Tensor::from<int32_t>({static_cast<int64_t>(values.size())}, values.data()).converted(DType::i64);
}

struct ExplainCommand {
  std::string run, out, layer, explained = "predicted", attack_name;
  DataOptions data;
  PartOptions part;
  AttackOptions attack;
  DeviceOptions device;
  bool json = false;

  void run_it() {
    const LoadedNetwork loaded = device.load(run);
    const Dataset faces = choose(loaded);
    std::string channels = attack.channels;
    const Tensor images = attackable_images(unit_images(faces), loaded.saved.options.channels, channels);
    const Shape shape{images.shape()[1], images.shape()[2], images.shape()[3]};
    const std::vector<ConvolutionLayer> layers = convolution_layers(loaded.network, shape);
    layer = layer.empty() ? default_layer(layers) : layer;
    GradCam cam(loaded.network, shape, layer, explained_at_once);

    const Explanation clean = explain(loaded.network, cam, images, faces, {});
    std::filesystem::create_directories(out);
    TensorFile file;
    file.metadata = {{"layer", layer},
                     {"model", loaded.saved.model},
                     {"model_digest", weights_digest(loaded.network)},
                     {"classes", nlohmann::json(faces.classes).dump()},
                     {"names", nlohmann::json(faces.names).dump()}};
    file.tensors["images"] = images;
    store(clean, "", file);
    write_pictures(faces, clean, "");
    nlohmann::json result = {{"layer", layer},
                             {"map", {clean.maps.shape()[1], clean.maps.shape()[2]}},
                             {"images", faces.size()},
                             {"explained", explained},
                             {"out", out}};
    write_class_means(faces, clean, file);
    if (!attack_name.empty()) {
      result["attack"] = move(loaded.network, cam, images, faces, channels, clean, file);
    }
    write_safetensors(std::filesystem::path(out) / "maps.safetensors", file);
    print(result);
    device.announce(loaded.network.device);
  }

  // The data, or one picture, whose label is then what the network takes it for.
  Dataset choose(const LoadedNetwork& loaded) {
    if (is_picture(data.data)) {
      Dataset single;
      single.classes = loaded.saved.classes;
      single.images = read_face(data.data, loaded.saved.options, trained_side(run, loaded.saved.options));
      single.names = {data.data};
      single.labels = Tensor::from<int32_t>({1}, predictions(loaded.network, single.images).data());
      return single;
    }
    data.default_to(run);
    const Dataset dataset = data.open();
    check_classes(run, loaded.saved, dataset);
    return select(dataset, part.choose(dataset, std::filesystem::is_directory(run) ? run : "", data.seed));
  }

  // `held`: classes to explain; empty: as --class says.
  Explanation explain(const Network& network, GradCam& cam, const Tensor& images, const Dataset& faces,
                      const std::vector<int32_t>& held) const {
    const Shape& shape = images.shape();
    const std::vector<float> rows =
        Classifier(network, {shape[1], shape[2], shape[3]}, DType::f32, explained_at_once).probabilities(images);
    Explanation result;
    for (int64_t i = 0; i < shape[0]; ++i) {
      const float* row = rows.data() + i * network.classes;
      const float* most = std::max_element(row, row + network.classes);
      result.predicted.push_back(static_cast<int32_t>(most - row));
      result.confidence.push_back(*most);
    }
    result.explained = held.empty() ? chosen_classes(faces, result.predicted) : held;
    result.maps = cam.maps(images, result.explained);
    result.heat = normalised_maps(resized_maps(result.maps, shape[1], shape[2]));
    return result;
  }

  std::vector<int32_t> chosen_classes(const Dataset& faces, const std::vector<int32_t>& predicted) const {
    if (explained == "predicted") {
      return predicted;
    }
    if (explained == "label") {
      return {faces.labels.as<int32_t>().begin(), faces.labels.as<int32_t>().end()};
    }
    const auto found = std::find(faces.classes.begin(), faces.classes.end(), explained);
    if (found == faces.classes.end()) {
      fail("--class '", explained, "': must be predicted, label, or one of the classes, such as ",
           faces.classes.front());
    }
    return std::vector<int32_t>(predicted.size(), static_cast<int32_t>(found - faces.classes.begin()));
  }

  static void store(const Explanation& one, const std::string& prefix, TensorFile& file) {
    file.tensors[prefix + "maps"] = one.maps;
    file.tensors[prefix + "predicted"] = to_i64(one.predicted);
    file.tensors[prefix + "explained"] = to_i64(one.explained);
    file.tensors[prefix + "confidence"] =
        Tensor::from<float>({static_cast<int64_t>(one.confidence.size())}, one.confidence.data());
  }

  void write_overlay(const std::string& name, const Tensor& face, const float* heat) const {
    const auto zoom = static_cast<int>((picture_side + face.shape()[0] - 1) / face.shape()[0]);
    write_png(std::filesystem::path(out) / (name + ".png"), overlay(face, heat, std::max(zoom, 1)));
  }

  // "0007_happy_as_sad.png": the seventh image, labelled happy, whose map speaks for sad.
  void write_pictures(const Dataset& faces, const Explanation& one, const std::string& suffix) const {
    const int64_t places = faces.height() * faces.width();
    for (int64_t i = 0; i < faces.size(); ++i) {
      char number[24];
      std::snprintf(number, sizeof number, "%04ld", i);
      const auto label = static_cast<size_t>(faces.labels.data<int32_t>()[i]);
      write_overlay(std::string(number) + "_" + faces.classes[label] + "_as_" +
                        faces.classes[static_cast<size_t>(one.explained[static_cast<size_t>(i)])] + suffix,
                    image_at(faces, i), one.heat.data<float>() + i * places);
    }
  }

  // The mean face and the mean map of every class, by label.
  void write_class_means(const Dataset& faces, const Explanation& one, TensorFile& file) const {
    const int64_t places = faces.height() * faces.width(), pixels = places * faces.channels();
    const auto classes = static_cast<int64_t>(faces.classes.size());
    const Tensor images = unit_images(faces);
    Tensor means(DType::f32, {classes, faces.height(), faces.width(), 1}), counts(DType::i64, {classes});
    for (int64_t c = 0; c < classes; ++c) {
      Dataset mean;
      mean.images = Tensor(DType::f32, {1, faces.height(), faces.width(), faces.channels()});
      int64_t& count = counts.data<int64_t>()[c];
      float* heat = means.data<float>() + c * places;
      for (int64_t i = 0; i < faces.size(); ++i) {
        if (faces.labels.data<int32_t>()[i] == c) {
          ++count;
          std::transform(heat, heat + places, one.heat.data<float>() + i * places, heat, std::plus<>());
          std::transform(images.data<float>() + i * pixels, images.data<float>() + (i + 1) * pixels,
                         mean.images.data<float>(), mean.images.data<float>(), std::plus<>());
        }
      }
      if (count == 0) {
        continue;
      }
      const auto divide = [&](float* from, int64_t size) {
        std::transform(from, from + size, from, [&](float x) { return x / static_cast<float>(count); });
      };
      divide(heat, places);
      divide(mean.images.data<float>(), pixels);
      write_overlay("mean_" + faces.classes[static_cast<size_t>(c)], image_at(mean, 0), heat);
    }
    file.tensors["class_means"] = means;
    file.tensors["class_counts"] = counts;
  }

  // Attacks the images and compares the maps: for the class explained before, and for the network's new choice.
  nlohmann::json move(const Network& network, GradCam& cam, const Tensor& images, const Dataset& faces,
                      const std::string& channels, const Explanation& clean, TensorFile& file) const {
    const std::vector<AttackedImages> versions =
        run_attack(attack_name, attack, network, images,
                   attack_labels(faces.labels, target_class(attack, faces.classes)), data.seed);
    if (versions.size() != 1) {
      fail("--attack ", attack_name, ": give one --eps (and one --steps), so that there is one attack to explain");
    }
    const AttackedImages& attacked = versions.front();
    const Explanation held = explain(network, cam, attacked.result.attacked, faces, clean.explained);
    const Explanation now = explain(network, cam, attacked.result.attacked, faces, held.predicted);
    file.metadata["attack"] = attacked.description.text + ", " + channels + ", seed " + std::to_string(data.seed);
    file.tensors["attacked_images"] = attacked.result.attacked;
    store(now, "attacked_", file);
    file.tensors["attacked_maps_of_explained"] = held.maps;
    Dataset pictures = faces;
    pictures.images = attacked.result.attacked;
    write_pictures(pictures, now, "_attacked");

    const int64_t places = faces.height() * faces.width();
    int64_t changed = 0;
    MapLikeness of_held, of_now;
    nlohmann::json each = nlohmann::json::array();
    const auto n = static_cast<double>(faces.size());
    for (int64_t i = 0; i < faces.size(); ++i) {
      const auto k = static_cast<size_t>(i);
      const float* before = clean.heat.data<float>() + i * places;
      const MapLikeness same = compare_maps(before, held.heat.data<float>() + i * places, places);
      const MapLikeness other = compare_maps(before, now.heat.data<float>() + i * places, places);
      changed += now.predicted[k] != clean.predicted[k];
      of_held.correlation += same.correlation / n;
      of_held.overlap += same.overlap / n;
      of_now.correlation += other.correlation / n;
      of_now.overlap += other.overlap / n;
      each.push_back({{"name", faces.names.empty() ? "" : faces.names[k]},
                      {"explained", faces.classes[static_cast<size_t>(clean.explained[k])]},
                      {"predicted", faces.classes[static_cast<size_t>(clean.predicted[k])]},
                      {"attacked_prediction", faces.classes[static_cast<size_t>(now.predicted[k])]},
                      {"correlation", same.correlation},
                      {"overlap", same.overlap},
                      {"correlation_new", other.correlation},
                      {"overlap_new", other.overlap}});
    }
    return {{"attack", file.metadata["attack"]},
            {"predictions_changed", changed},
            {"correlation", of_held.correlation},
            {"overlap", of_held.overlap},
            {"correlation_new", of_now.correlation},
            {"overlap_new", of_now.overlap},
            {"each", each}};
  }

  void print(const nlohmann::json& result) const {
    if (json) {
      std::cout << result.dump(2) << "\n";
      return;
    }
    std::printf("layer %s, map %ldx%ld, %ld images: overlays and maps.safetensors in %s\n", layer.c_str(),
                result["map"][0].get<int64_t>(), result["map"][1].get<int64_t>(), result["images"].get<int64_t>(),
                out.c_str());
    if (result.contains("attack")) {
      const auto& moved = result["attack"];
      const auto number = [&](const char* key) { return moved[key].get<double>(); };
      std::printf(
          "%s: %ld predictions changed\n"
          "  map of the class explained before: correlation %.3f, overlap of the hottest fifths %.3f\n"
          "  map of the new prediction:         correlation %.3f, overlap of the hottest fifths %.3f\n",
          moved["attack"].get<std::string>().c_str(), moved["predictions_changed"].get<int64_t>(),
          number("correlation"), number("overlap"), number("correlation_new"), number("overlap_new"));
    }
  }
};

}  // namespace

void add_explain_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("explain", "Grad-CAM: where a network looks, also under attack");
  auto options = std::make_shared<ExplainCommand>();
  options->part.limit = 24;
  options->attack.eps = {"0.03"};
  command->add_option("run", options->run, "a run folder or a weights file")->required();
  options->data.add_to(*command);
  options->part.add_to(*command);
  command->add_option("--layer", options->layer,
                      "a convolution, such as blocks.1.2.conv (default: the deepest with a map of 5x5 or more)");
  command->add_option("--class", options->explained, "predicted, label, or a class: what the maps speak for")
      ->capture_default_str();
  command->add_option("--attack", options->attack_name, "also explain the attacked images: fgsm, pgd, one-pixel, …");
  options->attack.add_to(*command);
  command->add_option("--out", options->out, "the folder to write overlays and maps.safetensors to")->required();
  options->device.add_to(*command);
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
