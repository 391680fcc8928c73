// fer bench data
#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>

#include "apps/bench.h"
#include "apps/common.h"
#include "autograd/executor.h"
#include "autograd/ops.h"
#include "data/distort.h"
#include "tensor/file.h"
#include "tensor/parallel.h"

namespace fer {

namespace {

namespace fs = std::filesystem;

// The files that DATA is made of; none for drawn faces.
std::vector<fs::path> files_of(const std::string& data) {
  std::vector<fs::path> files;
  if (fs::is_regular_file(data)) {
    files.emplace_back(data);
  } else if (fs::is_directory(data)) {
    for (const auto& entry : fs::recursive_directory_iterator(data)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
  }
  return files;
}

struct BenchData {
  DataOptions data;
  DeviceOptions where;
  std::string split;
  std::vector<std::string> augments{"paper"}, distortions{"clean"};
  int64_t batch = 64, limit = 1000, repeats = 5, threads = 0;
  bool json = false;
  nlohmann::json stages = nlohmann::json::array();

  void add_stage(const std::string& name, int64_t images, int64_t bytes, const std::vector<double>& seconds) {
    const auto rate = [&](double amount) {
      std::vector<double> rates(seconds.size());
      std::transform(seconds.begin(), seconds.end(), rates.begin(),
                     [amount](double one) { return amount / std::max(one, 1e-9); });
      return spread_of(rates);
    };
    nlohmann::json stage = {{"stage", name}, {"images", images}, {"bytes", bytes}, {"first_ms", 1e3 * seconds.front()}};
    put(stage, "ms", scaled(spread_of(seconds), 1e3));
    put(stage, "images_per_s", rate(static_cast<double>(images)));
    stage["mb_per_s"] = rate(static_cast<double>(bytes) / 1e6).value;
    stages.push_back(std::move(stage));
  }

  // Does `work` `repeats` times; the first counts too, as files are read only once in most programs.
  template <class Work>
  void measure(const std::string& name, int64_t images, int64_t bytes, Work&& work) {
    std::vector<double> seconds;
    for (int64_t repeat = 0; repeat < repeats; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      work();
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    add_stage(name, images, bytes, seconds);
  }

  // What a step does to its images before the first layer, batch by batch: a stage for each operation (`all`), or for
  // the augmentation only.
  void measure_step(const Dataset& dataset, const std::string& augment_name, Device device, bool all) {
    const int64_t taken = std::min(batch, dataset.size()), batches = dataset.size() / taken;
    Graph graph;
    const Value images = graph.resident("images", dataset.images.dtype(), dataset.images.shape());
    const Value indices = graph.input("indices", DType::i32, {taken});
    const Value output = augment(decode(gather(images, indices)), augmentation(augment_name));
    Executor executor(make_plan(graph, std::vector{output}, planned_for(device)), device,
                      std::make_shared<Variables>(0));
    executor.bind(images, dataset.images.view());
    Tensor rows(DType::i32, {taken});
    const std::vector<PlannedNode>& nodes = executor.plan().nodes();
    std::vector<std::vector<double>> seconds(nodes.size(), std::vector<double>(static_cast<size_t>(repeats), 0));
    for (int64_t repeat = 0; repeat < repeats; ++repeat) {
      for (int64_t i = 0; i < batches; ++i) {
        std::iota(rows.as<int32_t>().begin(), rows.as<int32_t>().end(), static_cast<int32_t>(i * taken));
        std::vector<double> of_nodes;
        executor.feed(indices, rows.view()).run({data.seed, static_cast<uint64_t>(repeat * batches + i)}, &of_nodes);
        for (size_t node = 0; node < nodes.size(); ++node) {
          seconds[node][static_cast<size_t>(repeat)] += of_nodes[node];
        }
      }
    }
    for (size_t node = 0; node < nodes.size(); ++node) {
      std::string name = nodes[node].operation->name();
      const bool is_augment = name == "augment";
      if (is_augment) {
        name += " " + augment_name;
      }
      if (all || is_augment) {
        add_stage(name, batches * taken, batches * output.type().bytes(), seconds[node]);
      }
    }
  }

  void run() {
    if (batch < 1 || limit < 1 || repeats < 1 || threads < 0) {
      fail("--batch, --limit and --repeats must be at least 1, --threads zero or more");
    }
    const Device device = where.choose();
    if (device == Device::null) {
      fail("--device null runs nothing; use cpu or cuda");
    }
    if (threads > 0) {
      set_thread_count(static_cast<int>(threads));
    }
    std::vector<Distortion> distorted;
    for (const std::string& name : distortions) {
      const std::vector<Distortion> some = name == "none" ? std::vector<Distortion>() : parse_distortion(name);
      distorted.insert(distorted.end(), some.begin(), some.end());
    }
    for (const std::string& name : augments) {
      augmentation(name);  // throws
    }
    Dataset dataset = data.open();
    where.announce(device);
    const int64_t images = dataset.size(), bytes = dataset.images.bytes();
    if (const std::vector<fs::path> files = files_of(data.data); !files.empty()) {
      int64_t size = 0;
      for (const fs::path& file : files) {
        size += static_cast<int64_t>(fs::file_size(file));
      }
      measure("read files", images, size, [&] {
        for (const fs::path& file : files) {
          read_file(file);
        }
      });
    }
    // The set that was opened before gives way, so that the peak is that of one.
    measure("open", images, bytes, [&] {
      dataset = Dataset();
      dataset = data.open();
    });
    measure("digest", images, bytes, [&] { digest(dataset); });
    const bool official =
        std::any_of(dataset.parts.begin(), dataset.parts.end(), [](Part p) { return p != Part::none; });
    const std::string kind = !split.empty() ? split : official ? "official" : "random:0.2";
    measure("split " + kind, images, bytes,
            [&] { make_split(dataset, {.kind = kind, .validation = -1, .seed = data.seed}); });

    std::vector<int32_t> all(static_cast<size_t>(images));
    std::iota(all.begin(), all.end(), 0);
    const Dataset some = select(dataset, draw_samples(std::move(all), limit, data.seed));
    for (size_t i = 0; i < augments.size(); ++i) {
      measure_step(some, augments[i], device, i == 0);
    }
    const Tensor clean = unit_images(some);
    for (const Distortion& one : distorted) {
      measure("distort " + name_of(one), some.size(), clean.bytes(), [&] { distort(clean, one, data.seed); });
    }
    const nlohmann::json result = {{"bench", "data"},
                                   {"data", data.data},
                                   {"images", images},
                                   {"image", to_string(Shape{dataset.height(), dataset.width(), dataset.channels()})},
                                   {"pixels", std::string(name_of(dataset.images.dtype()))},
                                   {"image_bytes", bytes},
                                   {"batch", batch},
                                   {"repeats", repeats},
                                   {"stages", stages},
                                   {"peak_rss_bytes", peak_resident_bytes()},
                                   {"device", std::string(name_of(device))},
                                   {"threads", thread_count()},
                                   {"seed", data.seed},
                                   {"machine", machine_description()}};
    json ? static_cast<void>(std::cout << result.dump(1) << "\n") : print(result);
  }

  static void print(const nlohmann::json& result) {
    std::printf("%-36s %9s %10s %24s %12s %10s\n", "stage", "images", "ms", "between", "images/s", "MB/s");
    for (const auto& stage : result["stages"]) {
      char between[64];
      std::snprintf(between, sizeof between, "%.3f and %.3f", stage["ms_spread"][0].get<double>(),
                    stage["ms_spread"][1].get<double>());
      std::printf("%-36s %9ld %10.3f %24s %12.0f %10.1f\n", stage["stage"].get<std::string>().c_str(),
                  stage["images"].get<int64_t>(), stage["ms"].get<double>(), between,
                  stage["images_per_s"].get<double>(), stage["mb_per_s"].get<double>());
    }
    std::printf("%ld images of %s (%s), %s in memory; peak resident %s; %ld threads, median of %ld\n",
                result["images"].get<int64_t>(), result["image"].get<std::string>().c_str(),
                result["pixels"].get<std::string>().c_str(), format_bytes(result["image_bytes"].get<double>()).c_str(),
                format_bytes(result["peak_rss_bytes"].get<double>()).c_str(), result["threads"].get<int64_t>(),
                result["repeats"].get<int64_t>());
  }
};

}  // namespace

void add_bench_data_command(CLI::App& bench) {
  CLI::App* command = bench.add_subcommand("data", "what reading, decoding, splitting, augmenting and distorting cost");
  static BenchData bench_data;
  bench_data.data.add_to(*command, true);
  bench_data.where.add_to(*command);
  command->add_option("--split", bench_data.split,
                      "official, random:F or subject:F (default: official, else random:0.2)");
  command->add_option("--augment", bench_data.augments, "a list of none, flip, paper and strong")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--distort", bench_data.distortions, "a list as fer eval takes it, or none")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--batch", bench_data.batch, "images augmented at a time")->capture_default_str();
  command->add_option("--limit", bench_data.limit, "images augmented and distorted, at most")->capture_default_str();
  command->add_option("--threads", bench_data.threads, "processor threads (0: all)");
  command->add_option("--repeats", bench_data.repeats, "times each stage is measured")->capture_default_str();
  command->add_flag("--json", bench_data.json, "one JSON object on standard output");
  command->callback([] { bench_data.run(); });
}

}  // namespace fer
