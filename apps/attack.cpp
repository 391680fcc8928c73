// fer attack: stored adversarial sets.
#include <algorithm>
#include <chrono>
#include <iostream>

#include "apps/attack_checkpoint.h"
#include "apps/attacks.h"
#include "apps/run_folder.h"
#include "data/adversarial_set.h"
#include "tensor/memory.h"

namespace fer {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t block = 32;               // images between two looks at the clock and at Ctrl-C
constexpr double checkpoint_seconds = 120;  // between two checkpoints

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void append(Tensor& all, int64_t at, const Tensor& part) {
  std::copy_n(static_cast<const std::byte*>(part.view().data), part.bytes(),
              static_cast<std::byte*>(all.view().data) + at * (part.bytes() / part.shape()[0]));
}

// Rows begin … begin + count - 1, shared.
Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t count) {
  const int64_t row_bytes = tensor.bytes() / tensor.shape()[0];
  AnyView view = tensor.view();
  view.data = static_cast<std::byte*>(view.data) + begin * row_bytes;
  view.shape = view.shape.with(0, count);
  return Tensor(view, std::make_shared<Tensor>(tensor));
}

// One version of the chosen images as it is stored.
struct Version {
  std::string description;
  Tensor images;  // as stored: u8 or f32, the data's channels
  double seconds = 0, queries = 0;
  int64_t fooled = 0;  // before rounding
};

struct AttackCommand {
  std::vector<std::string> attacks;
  std::string run, out, store = "f32";
  DataOptions data;
  PartOptions part;
  AttackOptions attack;
  DeviceOptions device;
  bool originals = true, resume = false, json = false;

  void run_it() {
    if (store != "f32" && store != "u8") {
      fail("--store '", store, "': must be f32 or u8");
    }
    if (std::filesystem::path(out).extension() != ".safetensors" && store != "u8") {
      fail("--out ", out, ": class folders hold 8-bit images; add --store u8, or give a .safetensors file");
    }
    if (std::filesystem::is_directory(out) && !std::filesystem::is_empty(out)) {
      fail("--out ", out, ": is a folder with files in it already; give a new one");
    }
    const LoadedNetwork loaded = device.load(run);
    data.default_to(run);
    const Dataset dataset = data.open();
    check_classes(run, loaded.saved, dataset);
    const std::vector<int32_t> samples = part.choose(dataset, std::filesystem::is_directory(run) ? run : "", data.seed);
    const Dataset chosen = select(dataset, samples);
    const int32_t target = target_class(attack, chosen.classes);
    std::string channels = attack.channels;
    const Tensor images = attackable_images(unit_images(chosen), loaded.saved.options.channels, channels);
    // What is trained on later stands beside the originals: grey images keep the channels they came with.
    const int64_t stored_channels = channels == "grey-tied" ? dataset.channels() : images.shape()[3];

    nlohmann::json metadata = {{"seed", std::to_string(data.seed)},
                               {"source", data.data},
                               {"source_digest", digest(dataset)},
                               {"split", part.describe()},
                               {"channels", channels},
                               {"target", attack.target},
                               {"store", store},
                               {"model", loaded.saved.model},
                               {"model_file", loaded.file.string()},
                               {"model_digest", weights_digest(loaded.network)}};
    std::vector<Version> versions;
    if (originals) {
      versions.push_back({"original", stored(images, images, 0, stored_channels), 0, 0, 0});
    }
    std::vector<AttackDescription> descriptions;
    for (Version& version : make_versions(loaded.network, images, attack_labels(chosen.labels, target), stored_channels,
                                          metadata, descriptions)) {
      versions.push_back(std::move(version));
    }
    metadata["attack"] = nlohmann::json(texts(descriptions)).dump();
    metadata["eps"] = nlohmann::json(epsilons(descriptions)).dump();
    AdversarialSet set = assemble(versions, chosen, samples);
    set.dataset.metadata = metadata.get<std::map<std::string, std::string>>();
    set.dataset.metadata["predictions"] = nlohmann::json(predictions(loaded.network, set.dataset.images)).dump();
    write_timed(set, versions);
    std::filesystem::remove(checkpoint());
    report(set, loaded.network, versions);
    device.announce(loaded.network.device);
  }

  std::filesystem::path checkpoint() const { return out + ".checkpoint.safetensors"; }

  Tensor stored(const Tensor& attacked, const Tensor& originals_of_them, double eps, int64_t channels) const {
    return with_channels(store == "u8" ? to_lattice(attacked, originals_of_them, eps) : attacked, channels);
  }

  static std::vector<std::string> texts(const std::vector<AttackDescription>& descriptions) {
    std::vector<std::string> all;
    for (const AttackDescription& one : descriptions) {
      all.push_back(one.text);
    }
    return all;
  }

  static std::vector<double> epsilons(const std::vector<AttackDescription>& descriptions) {
    std::vector<double> all;
    for (const AttackDescription& one : descriptions) {
      all.push_back(one.eps);
    }
    return all;
  }

  // Runs every attack block by block; an interrupt leaves a checkpoint.
  std::vector<Version> make_versions(const Network& network, const Tensor& images, const Tensor& labels,
                                     int64_t stored_channels, const nlohmann::json& metadata,
                                     std::vector<AttackDescription>& descriptions) const {
    const Shape& shape = images.shape();
    const int64_t count = shape[0];
    std::vector<PreparedAttack> prepared;
    for (const std::string& name : attacks) {
      for (PreparedAttack& one : prepare_attack(name, attack, network, {shape[1], shape[2], shape[3]}, data.seed)) {
        descriptions.insert(descriptions.end(), one.descriptions.begin(), one.descriptions.end());
        prepared.push_back(std::move(one));
      }
    }
    const std::string key = metadata.dump() + nlohmann::json(texts(descriptions)).dump() + std::to_string(count);
    std::vector<AttackState> states(prepared.size());
    if (resume && std::filesystem::exists(checkpoint())) {
      states = read_attack_checkpoint(checkpoint(), key);
    }
    interrupted();  // from here on Ctrl-C leaves a checkpoint
    Clock::time_point last = Clock::now();
    ProgressBar bar;
    std::vector<Version> versions;
    for (size_t p = 0; p < prepared.size(); ++p) {
      AttackState& state = states[p];
      while (state.done < count) {
        if (interrupted() || seconds_since(last) > checkpoint_seconds) {
          write_attack_checkpoint(checkpoint(), key, states);
          last = Clock::now();
        }
        if (interrupted()) {
          bar.clear();
          std::cerr << "interrupted after " << state.done << " of " << count << " images of "
                    << prepared[p].descriptions.front().text << "; the same command with --resume goes on\n";
          throw Interrupted();
        }
        const auto start = Clock::now();
        const int64_t taken = std::min(block, count - state.done);
        append_results(state, prepared[p].run(rows_of(images, state.done, taken), rows_of(labels, state.done, taken),
                                              state.done, {}));
        state.seconds += seconds_since(start);
        bar.update(prepared[p].descriptions.front().text, state.done, count, "images");
      }
      for (size_t r = 0; r < state.results.size(); ++r) {
        const AttackResult& result = state.results[r];
        Version version{prepared[p].descriptions[r].text,
                        stored(result.attacked, images, prepared[p].descriptions[r].eps, stored_channels),
                        state.seconds / static_cast<double>(state.results.size()), 0, 0};
        for (size_t i = 0; i < result.success.size(); ++i) {
          version.fooled += result.success[i] != 0;
          version.queries += static_cast<double>(result.queries[i]) / static_cast<double>(count);
        }
        versions.push_back(std::move(version));
      }
    }
    bar.clear();
    return versions;
  }

  AdversarialSet assemble(const std::vector<Version>& versions, const Dataset& chosen,
                          const std::vector<int32_t>& samples) const {
    AdversarialSet set;
    const int64_t count = chosen.size();
    const auto total = count * static_cast<int64_t>(versions.size());
    set.dataset.classes = chosen.classes;
    set.dataset.images = Tensor(versions.front().images.dtype(), versions.front().images.shape().with(0, total));
    set.dataset.labels = Tensor(DType::i32, {total});
    int64_t at = 0;
    for (const Version& version : versions) {
      append(set.dataset.images, at, version.images);
      append(set.dataset.labels, at, chosen.labels);
      for (size_t i = 0; i < samples.size(); ++i) {
        set.source.push_back(samples[i]);
        set.attacks.push_back(version.description);
        set.dataset.parts.push_back(chosen.parts.empty() ? Part::none : chosen.parts[i]);
        set.dataset.names.push_back(chosen.names.empty() ? "" : chosen.names[i]);
        if (!chosen.subjects.empty()) {
          set.dataset.subjects.push_back(chosen.subjects[i]);
        }
      }
      at += count;
    }
    return set;
  }

  // The set carries what making and storing it cost; so it is written once to be timed, and once more with the time.
  void write_timed(AdversarialSet& set, const std::vector<Version>& versions) const {
    double generating = 0;
    for (const Version& version : versions) {
      generating += version.seconds;
    }
    const auto start = Clock::now();
    write_adversarial_set(out, set);
    auto& metadata = set.dataset.metadata;
    metadata["store_seconds"] = std::to_string(seconds_since(start));
    metadata["generate_seconds"] = std::to_string(generating);
    metadata["image_bytes"] = std::to_string(set.dataset.images.bytes());
    metadata["peak_rss_bytes"] = std::to_string(peak_resident_bytes());
    write_adversarial_set(out, set);
  }

  // Reads the set back and shows the network what it holds.
  void report(const AdversarialSet& written, const Network& network, const std::vector<Version>& versions) const {
    const AdversarialSet back = read_adversarial_set(out);
    const std::vector<int32_t> seen = predictions(network, back.dataset.images);
    if (nlohmann::json(seen).dump() != written.dataset.metadata.at("predictions")) {
      fail(out, ": predictions on the images read back differ from those before writing");
    }
    const auto count = seen.size() / versions.size();
    const bool targeted = !attack.target.empty();
    const int32_t target = target_class(attack, written.dataset.classes);
    nlohmann::json rows = nlohmann::json::array();
    for (size_t v = 0; v < versions.size(); ++v) {
      int64_t correct = 0, fooled = 0;
      for (size_t i = v * count; i < (v + 1) * count; ++i) {
        const bool right = seen[i] == back.dataset.labels.data<int32_t>()[i];
        correct += right;
        fooled += targeted ? seen[i] == target : !right;
      }
      rows.push_back({{"attack", versions[v].description},
                      {"images", count},
                      {"recognised", correct},
                      {"fooled", fooled},
                      {"fooled_before_rounding", versions[v].fooled},
                      {"queries", versions[v].queries},
                      {"generate_seconds", versions[v].seconds}});
      if (!json) {
        std::printf("%-64s %6zu images, %6ld recognised (%.1f%%), %.1f s\n", versions[v].description.c_str(), count,
                    correct, 100.0 * static_cast<double>(correct) / static_cast<double>(count), versions[v].seconds);
      }
    }
    const auto& metadata = written.dataset.metadata;
    const nlohmann::json result = {{"out", out},
                                   {"store", store},
                                   {"versions", rows},
                                   {"generate_seconds", std::stod(metadata.at("generate_seconds"))},
                                   {"store_seconds", std::stod(metadata.at("store_seconds"))},
                                   {"image_bytes", written.dataset.images.bytes()},
                                   {"peak_rss_bytes", peak_resident_bytes()}};
    if (json) {
      std::cout << result.dump(2) << "\n";
    } else {
      std::cout << "stored in " << out << " (" << store << ", "
                << format_bytes(static_cast<double>(written.dataset.images.bytes())) << " of images), read back and "
                << "checked\n";
    }
  }
};

}  // namespace

void add_attack_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("attack", "write a stored adversarial set: originals and attacked versions");
  auto options = std::make_shared<AttackCommand>();
  options->part.part = "train";
  command->add_option("attacks", options->attacks, "fgsm, pgd, one-pixel, k-pixel, or several with commas")
      ->required()
      ->delimiter(',');
  command->add_option("--run", options->run, "the run folder or weights file to attack")->required();
  options->data.add_to(*command);
  options->part.add_to(*command);
  options->attack.add_to(*command);
  command->add_option("--store", options->store, "f32, or u8 rounded to 8 bits inside the eps ball")
      ->capture_default_str();
  command->add_flag("--originals,!--no-originals", options->originals, "store the clean images too (default)");
  command->add_flag("--resume", options->resume, "go on where an interrupted run of the same command stopped");
  command->add_option("--out", options->out, "a .safetensors file, or a folder for class folders of PNG files")
      ->required();
  options->device.add_to(*command);
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options] { options->run_it(); });
}

}  // namespace fer
