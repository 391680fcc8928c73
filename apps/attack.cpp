// fer attack: stored adversarial sets.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "apps/attacks.h"
#include "apps/run_folder.h"
#include "data/adversarial_set.h"

namespace fer {

namespace {

constexpr int64_t evaluation_batch = 64;

// Pixels on the 8-bit lattice inside the eps ball around u8 originals: away from the original the value is rounded
// towards it where rounding outwards would leave the ball (eps 0 stands for no ball).
Tensor to_u8(const Tensor& attacked, const Tensor& originals, double eps) {
  Tensor result(DType::u8, attacked.shape());
  for (int64_t i = 0; i < attacked.size(); ++i) {
    const double origin = std::round(255.0 * static_cast<double>(originals.data<float>()[i]));
    const double radius = eps > 0 ? std::floor(255.0 * eps + 1e-9) : 255.0;
    const double value = std::round(255.0 * static_cast<double>(attacked.data<float>()[i]));
    result.data<uint8_t>()[i] =
        static_cast<uint8_t>(std::clamp(value, std::max(0.0, origin - radius), std::min(255.0, origin + radius)));
  }
  return result;
}

std::vector<int32_t> predictions(const Network& network, const Tensor& images) {
  const Shape& shape = images.shape();
  const std::vector<float> rows =
      Classifier(network, {shape[1], shape[2], shape[3]}, images.dtype(), evaluation_batch).probabilities(images);
  std::vector<int32_t> result;
  for (int64_t i = 0; i < shape[0]; ++i) {
    const float* row = rows.data() + i * network.classes;
    result.push_back(static_cast<int32_t>(std::max_element(row, row + network.classes) - row));
  }
  return result;
}

void append(Tensor& all, int64_t at, const Tensor& part) {
  std::copy_n(static_cast<const std::byte*>(part.view().data), part.bytes(),
              static_cast<std::byte*>(all.view().data) + at * (part.bytes() / part.shape()[0]));
}

struct AttackCommand {
  std::vector<std::string> attacks;
  std::string run, out, store = "f32";
  DataOptions data;
  PartOptions part;
  AttackOptions attack;
  bool originals = true;

  void run_it() {
    if (store != "f32" && store != "u8") {
      fail("--store '", store, "': must be f32 or u8");
    }
    const LoadedNetwork loaded = load_network(run);
    data.default_to(run);
    const Dataset dataset = data.open();
    if (dataset.classes != loaded.saved.classes) {
      fail(run, " was trained on other classes than this data has");
    }
    const std::vector<int32_t> samples = part.choose(dataset, std::filesystem::is_directory(run) ? run : "", data.seed);
    const Dataset chosen = select(dataset, samples);
    const Tensor images = unit_images(chosen);
    std::vector<AttackedImages> versions;
    if (originals) {
      versions.push_back({"original", "original", 0, images, 0, 0});
    }
    for (const std::string& name : attacks) {
      for (AttackedImages& one : run_attack(name, attack, loaded.network, images, chosen.labels, data.seed)) {
        versions.push_back(std::move(one));
      }
    }
    const AdversarialSet set = assemble(versions, chosen, samples, images, loaded, digest(dataset));
    write_adversarial_set(out, set);
    verify(set, loaded.network, versions.size());
  }

  AdversarialSet assemble(const std::vector<AttackedImages>& versions, const Dataset& chosen,
                          const std::vector<int32_t>& samples, const Tensor& images, const LoadedNetwork& loaded,
                          const std::string& source_digest) const {
    AdversarialSet set;
    const int64_t count = chosen.size();
    const auto total = count * static_cast<int64_t>(versions.size());
    set.dataset.classes = chosen.classes;
    set.dataset.images = Tensor(store == "u8" ? DType::u8 : DType::f32, images.shape().with(0, total));
    set.dataset.labels = Tensor(DType::i32, {total});
    int64_t at = 0;
    std::string kinds;
    for (const AttackedImages& version : versions) {
      append(set.dataset.images, at, store == "u8" ? to_u8(version.images, images, version.eps) : version.images);
      append(set.dataset.labels, at, chosen.labels);
      for (int64_t i = 0; i < count; ++i) {
        const auto k = static_cast<size_t>(i);
        set.source.push_back(samples[k]);
        set.attacks.push_back(version.description);
        set.dataset.parts.push_back(chosen.parts.empty() ? Part::none : chosen.parts[k]);
        set.dataset.names.push_back(chosen.names.empty() ? "" : chosen.names[k]);
        if (!chosen.subjects.empty()) {
          set.dataset.subjects.push_back(chosen.subjects[k]);
        }
      }
      kinds += (kinds.empty() ? "" : "; ") + version.description;
      at += count;
    }
    auto& metadata = set.dataset.metadata;
    metadata["attack"] = kinds;
    metadata["seed"] = std::to_string(data.seed);
    metadata["source"] = data.data;
    metadata["source_digest"] = source_digest;
    metadata["model"] = loaded.saved.model;
    metadata["model_file"] = loaded.file.string();
    metadata["predictions"] = nlohmann::json(predictions(loaded.network, set.dataset.images)).dump();
    return set;
  }

  // Reads the file back and attacks the network with what it holds.
  void verify(const AdversarialSet& written, const Network& network, size_t versions) const {
    const AdversarialSet back = read_adversarial_set(out);
    const std::vector<int32_t> seen = predictions(network, back.dataset.images);
    if (nlohmann::json(seen).dump() != written.dataset.metadata.at("predictions")) {
      fail(out, ": predictions on the images read back differ from those before writing");
    }
    const auto count = seen.size() / versions;
    for (size_t v = 0; v < versions; ++v) {
      size_t correct = 0;
      for (size_t i = v * count; i < (v + 1) * count; ++i) {
        correct += seen[i] == back.dataset.labels.data<int32_t>()[i];
      }
      std::printf("%-48s %6zu images, %6zu recognised (%.1f%%)\n", back.attacks[v * count].c_str(), count, correct,
                  100.0 * static_cast<double>(correct) / static_cast<double>(count));
    }
    std::cout << "stored in " << out << " (" << store << "), read back and checked\n";
  }
};

}  // namespace

void add_attack_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("attack", "write a stored adversarial set: originals and attacked versions");
  auto options = std::make_shared<AttackCommand>();
  options->part.part = "train";
  command->add_option("attacks", options->attacks, "fgsm, one-pixel, or both")->required()->delimiter(',');
  command->add_option("--run", options->run, "the run folder or weights file to attack")->required();
  options->data.add_to(*command);
  options->part.add_to(*command);
  options->attack.add_to(*command);
  command->add_option("--store", options->store, "f32, or u8 rounded to 8 bits inside the eps ball")
      ->capture_default_str();
  command->add_flag("--originals,!--no-originals", options->originals, "store the clean images too (default)");
  command->add_option("--out", options->out, "the file to write")->required();
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
