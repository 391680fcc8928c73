// The built program as a user meets it: wrong use, bad input, full disks, interrupts and kills, JSON, memory.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/image.h"
#include "tensor/device.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/run_program.h"
#include "tests/temporary_folder.h"

using namespace fer;
namespace fs = std::filesystem;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

using Words = std::vector<std::string>;

// Both, where the value of an option given by both is the second's.
Words operator+(Words words, const Words& more) {
  for (size_t i = 0; i < more.size(); ++i) {
    const auto given = more[i].rfind("--", 0) == 0 ? std::find(words.begin(), words.end(), more[i]) : words.end();
    if (given != words.end()) {
      *(given + 1) = more[++i];
    } else {
      words.push_back(more[i]);
    }
  }
  return words;
}

// A training so small that a run of three epochs takes a fraction of a second: 80 images, 5 batches an epoch. What
// carries state from step to step is all there: dropout, batch-norm, augmentation, moments, plateau, best weights.
const Words tiny = {"train",     "--model", "cnn_1block", "--size", "8",        "--batch", "16",
                    "--threads", "1",       "--device",   "cpu",    "--epochs", "3"};
const Words tiny_faces = tiny + Words{"--data", "synthetic:140", "--validation", "0.15",          "--augment",
                                      "paper",  "--schedule",    "plateau",      "--adversarial", "fly:fgsm,eps=0.02"};

const Words resume = {"train", "--resume", "--device", "cpu"};

// Exit status 1, and on standard error one line that begins "fer: " and holds `parts`.
template <class... Parts>
void check_fails(const Words& arguments, const Parts&... parts) {
  const ProgramResult result = run_program(arguments);
  INFO(nlohmann::json(arguments).dump());
  INFO(result.errors);
  CHECK(result.status == 1);
  CHECK(result.errors.rfind("fer: ", 0) == 0);
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 1);
  CHECK(result.errors.back() == '\n');
  CHECK(holds(result.errors, parts...));
}

// The same for wrong use: exit status 2.
template <class... Parts>
void check_wrong_use(const Words& arguments, const Parts&... parts) {
  const ProgramResult result = run_program(arguments);
  INFO(nlohmann::json(arguments).dump());
  INFO(result.errors);
  CHECK(result.status == 2);
  CHECK(result.errors.rfind("fer: ", 0) == 0);
  CHECK(std::count(result.errors.begin(), result.errors.end(), '\n') == 1);
  CHECK(holds(result.errors, "--help", parts...));
}

// Training on `data` fails with `parts` and leaves no run folder.
template <class... Parts>
void check_refused(const Words& options, const Parts&... parts) {
  const TemporaryFolder folder;
  check_fails(tiny + options + Words{"--out", folder / "run"}, parts...);
  CHECK(fs::is_empty(folder.path()));
}

std::string last_line(const std::string& text) {
  return text.size() < 2 ? text : text.substr(text.rfind('\n', text.size() - 2) + 1);
}

ProgramResult run_well(const Words& arguments) {
  ProgramResult result = run_program(arguments);
  INFO(nlohmann::json(arguments).dump());
  INFO(result.errors);
  REQUIRE(result.status == 0);
  return result;
}

nlohmann::json run_json(const Words& arguments) { return nlohmann::json::parse(run_well(arguments).out); }

nlohmann::json read_json_file(const fs::path& path) { return nlohmann::json::parse(read_file(path)); }

void check_names(const nlohmann::json& json, const Words& names) {
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(json.contains(name));
  }
}

std::string csv_row(const std::string& emotion, const std::string& pixels, const std::string& usage) {
  return emotion + "," + pixels + "," + usage + "\n";
}

std::string grey_pixels(int count) {
  std::string pixels = "7";
  for (int i = 1; i < count; ++i) {
    pixels += " 7";
  }
  return pixels;
}

const std::string csv_header = "emotion,pixels,Usage\n";

template <class... Parts>
void check_csv(const std::string& text, const Parts&... parts) {
  const TemporaryFolder folder;
  write_file(folder / "faces.csv", text);
  check_refused({"--data", folder / "faces.csv"}, "faces.csv", parts...);
}

// The log without what differs from run to run.
nlohmann::json log_of(const fs::path& run) {
  nlohmann::json log = nlohmann::json::array();
  const std::string text = read_file(run / "log.jsonl");
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    nlohmann::json line = nlohmann::json::parse(text.substr(begin, end - begin));
    CHECK(
        (line.at("host_joules").is_number() ? line.at("host_joules") >= 0.0 : line.at("host_joules") == "unavailable"));
    for (const char* key : {"seconds", "images_per_second", "peak_rss_bytes", "host_joules"}) {
      REQUIRE(line.erase(key) == 1);
    }
    line.erase("attack_seconds");  // there when adversarial examples are made in training
    log.push_back(line);
  }
  return log;
}

void check_nothing_unfinished(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(run)) {
    CHECK_MESSAGE(entry.path().filename().string().front() != '.', entry.path().string());
  }
}

// Two finished runs hold the same weights, checkpoint, log and scores, and nothing that was left over.
void check_same_runs(const fs::path& expected, const fs::path& actual) {
  for (const char* name : {"best.safetensors", "last.safetensors", "evaluation.json", "run.json"}) {
    CAPTURE(name);
    CHECK(read_file(expected / name) == read_file(actual / name));
  }
  CHECK(log_of(expected) == log_of(actual));
  CHECK(fs::exists(actual / "report.html"));
  check_nothing_unfinished(actual);
}

nlohmann::json trainer_state(const fs::path& run) {
  return nlohmann::json::parse(read_safetensors(run / "last.safetensors").metadata.at("trainer"));
}

// Goes on with a run that was killed: from run.json where there is one already, else anew.
ProgramResult go_on(const Words& training, const fs::path& run) {
  return run_program((fs::exists(run / "run.json") ? resume : training) + Words{"--out", run});
}

void check_goes_on(const Words& training, const fs::path& run, const fs::path& expected) {
  const ProgramResult result = go_on(training, run);
  INFO(result.errors);
  REQUIRE(result.status == 0);
  check_same_runs(expected, run);
}

}  // namespace

TEST_CASE("program: wrong use ends with status 2 and one line") {
  check_wrong_use({}, "subcommand");
  check_wrong_use({"frobnicate"}, "frobnicate", "fer --help");
  check_wrong_use({"train", "--frobnicate", "3"}, "--frobnicate", "fer train --help");
  check_wrong_use({"train", "--data", "synthetic:70"}, "--out");
  check_wrong_use({"train", "--out", "run"}, "--data");
  check_wrong_use({"train", "--data", "synthetic:70", "--out"}, "--out");
  check_wrong_use({"train", "--data", "synthetic:70", "--out", "run", "--epochs", "many"}, "--epochs", "many");
  check_wrong_use({"data"}, "subcommand", "fer data --help");
  check_wrong_use({"eval"}, "run");
  check_wrong_use({"attack", "fgsm", "--run", "run"}, "--out");
}

TEST_CASE("program: help and version are no errors") {
  for (const Words& arguments : {Words{"--help"}, {"train", "--help"}, {"data", "info", "--help"}, {"--version"}}) {
    const ProgramResult result = run_well(arguments);
    CHECK(!result.out.empty());
    CHECK(result.errors.empty());
  }
}

TEST_CASE("program: options out of range are refused by name") {
  const Words data = {"--data", "synthetic:70"};
  check_refused(data + Words{"--lr", "-0.1"}, "--lr -0.1", "positive");
  check_refused(data + Words{"--lr", "nan"}, "--lr nan");
  check_refused(data + Words{"--batch", "0"}, "--batch 0", "at least 1");
  check_refused(data + Words{"--batch", "71"}, "--batch 71", "larger than the training set");
  check_refused(data + Words{"--epochs", "0"}, "--epochs 0", "at least 1");
  check_refused(data + Words{"--schedule", "sometimes"}, "'sometimes'", "constant, cosine");
  check_refused(data + Words{"--schedule", "keras-decay:fast"}, "'keras-decay:fast'", "number");
  check_refused(data + Words{"--optimizer", "luck"}, "'luck'", "sgd, adam");
  check_refused(data + Words{"--model", "cnn_9block"}, "'cnn_9block'", "cnn_1block", "mobilenet_v2");
  check_refused(data + Words{"--split", "random:2"}, "random:2", "between 0 and 1");
  check_refused(data + Words{"--adversarial", "fly:fgsm,eps=x"}, "eps", "'x'", "8/255");
  check_refused(data + Words{"--adversarial", "fly:fgsm,eps=2"}, "eps", "2", "between 0 and 1");
  check_refused(data + Words{"--memory-limit", "10K"}, "--memory-limit", "10240 bytes", "smaller --batch");
  check_refused({"--data", "synthetic:none"}, "synthetic:N");
}

TEST_CASE("program: a device that is not there is refused with the reason") {
  const TemporaryFolder folder;
  const Words step = {"train", "--data", "synthetic:70", "--out", folder / "run", "--device"};
  check_fails(step + Words{"abacus"}, "'abacus'", "auto, cpu, cuda, null");
  check_fails(step + Words{"null"}, "null", "fer plan");
  if (!unavailable_reason(Device::cuda).empty()) {
    check_fails(step + Words{"cuda"}, "device cuda is unavailable: ", "--device cpu");
  }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("program: missing and empty data") {
  const TemporaryFolder folder;
  check_refused({"--data", folder / "none.csv"}, "none.csv", "No such file");
  check_refused({"--data", folder / "none"}, "none", "does not exist", "synthetic[:N]");
  check_refused({"--data", folder / "none.safetensors"}, "none.safetensors", "No such file");
  for (const char* name : {"empty.csv", "empty.safetensors"}) {
    write_file(folder / name, "");
    check_refused({"--data", folder / name}, name);
  }
  fs::create_directories(folder.path() / "folder" / "happy");
  check_refused({"--data", folder / "folder"}, "folder", "no PNG or JPEG images in class folders");
  check_fails({"data", "info", folder / "none.csv"}, "none.csv", "No such file");
}

TEST_CASE("program: faults in a FER2013 csv are reported with file and row") {
  const std::string good = csv_header + csv_row("3", grey_pixels(2304), "Training");
  check_csv(good + "4,7 7 7", "row 3", "2 fields, expected 3");
  check_csv(good + csv_row("4", "7 x7 7", "Training"), "row 3", "pixel 2 is 'x7'", "0 to 255");
  check_csv(good + csv_row("4", grey_pixels(2303), "Training"), "row 3", "2303 pixels, expected 2304");
  check_csv(good + csv_row("4", grey_pixels(2304), "Testing"), "row 3", "Usage 'Testing'", "PublicTest");
  check_csv(good + csv_row("7", grey_pixels(2304), "Training"), "row 3", "emotion '7'", "0 to 6");
  check_csv("some,other,table\n1,2,3\n", "row 1", "no column 'emotion'");
}

TEST_CASE("program: a FER+ file of another length") {
  const TemporaryFolder folder;
  const std::string row = csv_row("3", grey_pixels(2304), "Training");
  write_file(folder / "faces.csv", csv_header + row + row);
  write_file(folder / "votes.csv",
             "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
             "Training,a.png,10,0,0,0,0,0,0,0,0,0\n");
  check_refused({"--data", folder / "faces.csv", "--ferplus", folder / "votes.csv"}, "votes.csv", "1 Training rows",
                "csv has 2");
  check_refused({"--data", folder / "faces.csv", "--labels", "majority"}, "faces.csv", "--ferplus");
  check_refused({"--data", folder / "faces.csv", "--ferplus", folder / "votes.csv", "--labels", "loudest"}, "'loudest'",
                "majority");
}

TEST_CASE("program: corrupt and enormous images") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "happy");
  fs::create_directories(folder.path() / "sad");
  const std::string png = encode_png(Tensor(DType::u8, {12, 12, 1}));
  write_file(folder.path() / "happy" / "a.png", png);
  const Words data = {"--data", folder.path()};
  const fs::path bad = folder.path() / "sad" / "b.png";
  write_file(bad, png.substr(0, png.size() / 2));
  check_refused(data, "b.png", "cut off");
  write_file(bad, "no picture");
  check_refused(data, "b.png", "neither PNG nor JPEG");
  // A header of 20000 x 20000 pixels with its checksum, and an end.
  write_file(bad,
             std::string("\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR\x00\x00\x4E\x20\x00\x00\x4E\x20\x08\x00\x00\x00\x00"
                         "\xC6\x1B\x19\xE5\x00\x00\x00\x00IEND\xAE\x42\x60\x82",
                         45));
  check_refused(data, "b.png", "20000 x 20000 pixels", "at most 64000000");
  write_file(bad, encode_png(Tensor(DType::u8, {12, 13, 1})));
  check_refused(data, "b.png", "13 x 12");
}

TEST_CASE("program: malformed safetensors, as data and as weights") {
  const TemporaryFolder folder;
  const auto file = [](uint64_t length, const std::string& rest) {
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + rest;
  };
  const std::string gap = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})";
  const std::map<std::string, std::string> faults = {{"short", "abc"},
                                                     {"long_header", file(1ULL << 40, "{}")},
                                                     {"no_json", file(4, "nope")},
                                                     {"gap", file(gap.size(), gap + "01234567")},
                                                     {"no_set", file(2, "{}")}};
  for (const auto& [name, content] : faults) {
    const std::string path = folder / (name + ".safetensors");
    write_file(path, content);
    check_refused({"--data", path}, path);
    check_refused({"--data", "synthetic:70", "--weights", path}, path);
    check_refused({"--data", "synthetic:70", "--adversarial", "stored:" + path}, path);
    check_fails({"eval", path, "--data", "synthetic:70"}, path);
  }
}

TEST_CASE("program: a checkpoint of another model") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", other = folder / "other";
  run_well(tiny + Words{"--data", "synthetic:70", "--epochs", "1", "--out", run});
  const Words training = tiny + Words{"--data", "synthetic:70", "--out", other, "--weights", run};
  check_fails(training + Words{"--model", "cnn_2block"}, "best.safetensors", "tensor '", "expected [");
  check_fails(training + Words{"--channels", "2"}, "best.safetensors", "'blocks.0.0.conv.weight'", "is [64,1,3,3]",
              "expected [64,2,3,3]");
  CHECK(!fs::exists(other));
  check_fails(tiny + Words{"--data", "synthetic:70", "--out", run}, run, "--resume", "--out");

  const std::string json = read_file(folder.path() / "run" / "run.json");
  const std::string last = read_file(folder.path() / "run" / "last.safetensors");
  const auto with_option = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json changed = nlohmann::json::parse(json);
    changed["options"][key] = value;
    write_file(folder.path() / "run" / "run.json", changed.dump());
  };
  with_option("model", "cnn_2block");
  check_fails(resume + Words{"--out", run}, "last.safetensors", "checkpoint of cnn_1block", "not of cnn_2block");
  with_option("channels", 3);
  check_fails(resume + Words{"--out", run}, "last.safetensors", "run.json", "'blocks.0.0.conv.weight'", "[64,3,3,3]",
              "[64,1,3,3]");
  with_option("data", "synthetic:77");
  check_fails(resume + Words{"--out", run}, "synthetic:77", "not the data");
  write_file(folder.path() / "run" / "run.json", "{");
  check_fails(resume + Words{"--out", run}, "run.json", "not valid JSON");
  check_fails({"eval", run}, "run.json", "not valid JSON");
  write_file(folder.path() / "run" / "run.json", "{}");
  check_fails({"eval", run}, "run.json", "damaged", "options");
  write_file(folder.path() / "run" / "run.json", json);
  check_fails(resume + Words{"--out", run, "--lr", "0.5"}, "--lr", "run.json");
  check_fails(resume + Words{"--out", other}, "other", "run.json", "No such file");
  CHECK(read_file(folder.path() / "run" / "last.safetensors") == last);
}

TEST_CASE("program: places that cannot be written to") {
  const TemporaryFolder folder;
  write_file(folder / "file", "");
  const std::string below = folder / "file/run";
  check_fails(tiny + Words{"--data", "synthetic:70", "--out", below}, below);
  for (const char* name : {"file/set.csv", "file/set.safetensors"}) {
    check_fails({"data", "synth", "--count", "7", "--out", folder / name}, name, "Not a directory");
  }
  CHECK(read_file(folder / "file").empty());
}

TEST_CASE("program: a full disk leaves the old files whole, and the run goes on later") {
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole", run = folder / "run";
  run_well(tiny_faces + Words{"--out", whole});

  const auto check_full = [&](const Words& arguments, int64_t limit, const std::string& file) {
    const ProgramResult full = run_program(arguments, limit);
    INFO(full.errors);
    CHECK(full.status == 1);
    CHECK(last_line(full.errors).rfind("fer: file: cannot write " + (run / file).string() + ": File too large", 0) ==
          0);
    check_nothing_unfinished(run);
  };
  // A kilobyte is too little for the record of the split, the others for the weights and for the moments.
  const std::vector<std::pair<int64_t, std::string>> disks = {
      {1'000, "run.json"}, {100'000, "best.safetensors"}, {300'000, "last.safetensors"}};
  for (const auto& disk : disks) {
    CAPTURE(disk.first);
    fs::remove_all(run);
    check_full(tiny_faces + Words{"--out", run}, disk.first, disk.second);
    check_goes_on(tiny_faces, run, whole);
  }

  // A checkpoint in the midst of the run stays as it was.
  fs::remove_all(run);
  fs::create_directories(run);
  FolderWatch watch(run);
  RunningProgram program(tiny_faces + Words{"--out", run});
  REQUIRE(watch.wait("last.safetensors", IN_MOVED_TO));
  program.send(SIGKILL);
  program.finish();
  const std::string last = read_file(run / "last.safetensors"), best = read_file(run / "best.safetensors");
  CHECK(run_program(resume + Words{"--out", run}, 100'000).status == 1);
  CHECK(read_file(run / "last.safetensors") == last);
  CHECK(read_file(run / "best.safetensors") == best);
  check_goes_on(tiny_faces, run, whole);

  const std::string report = read_file(run / "report.html");
  check_full(resume + Words{"--out", run}, 100'000, "report.html");
  CHECK(read_file(run / "report.html") == report);
}

TEST_CASE("program: Ctrl-C in mid-epoch leaves a checkpoint from which the run goes on exactly") {
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole";
  // Batches of two: 40 steps an epoch.
  const Words training = tiny_faces + Words{"--batch", "2", "--epochs", "6"};
  run_well(training + Words{"--out", whole});
  // The line of the first batch; the line of the first epoch.
  for (const std::string moment : {"epoch 1/6 1/40", "epoch   1/6  loss"}) {
    CAPTURE(moment);
    const fs::path run = folder / (moment == "epoch 1/6 1/40" ? "first" : "second");
    RunningProgram program(training + Words{"--out", run});
    REQUIRE(program.wait_for_error(moment));
    program.send(SIGINT);
    const ProgramResult interrupted = program.finish();
    CHECK(interrupted.status == 130);
    CHECK(holds(interrupted.errors, "interrupted; go on with: fer train --resume --out " + run.string()));
    const int64_t step = trainer_state(run).at("step").get<int64_t>();
    CHECK(step > 0);
    CHECK(step < 240);
    check_goes_on(training, run, whole);
  }
}

TEST_CASE("program: kill -9 while files are written, at each of them") {
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole";
  run_well(tiny_faces + Words{"--out", whole});
  struct Moment {
    const char* name;
    uint32_t event;
    int count = 1;
  };
  const std::vector<Moment> moments = {
      {".run.json", IN_CREATE},         {"run.json", IN_MOVED_TO},           {".log.jsonl", IN_CREATE},
      {"log.jsonl", IN_MOVED_TO},       {".best.safetensors", IN_CREATE},    {"best.safetensors", IN_MOVED_TO},
      {".last.safetensors", IN_CREATE}, {"last.safetensors", IN_MOVED_TO},   {".last.safetensors", IN_CREATE, 2},
      {"log.jsonl", IN_MOVED_TO, 2},    {".last.safetensors", IN_CREATE, 3}, {"last.safetensors", IN_MOVED_TO, 3},
      {".evaluation.json", IN_CREATE},  {".report.html", IN_CREATE}};
  for (size_t i = 0; i < moments.size(); i += sanitized ? 3 : 1) {
    CAPTURE(moments[i].name);
    CAPTURE(moments[i].count);
    const fs::path run = folder / std::to_string(i);
    fs::create_directories(run);
    FolderWatch watch(run);
    RunningProgram program(tiny_faces + Words{"--out", run});
    REQUIRE(watch.wait(moments[i].name, moments[i].event, moments[i].count));
    program.send(SIGKILL);
    program.finish();
    check_goes_on(tiny_faces, run, whole);
  }
}

TEST_CASE("program: kill -9 at any moment, again and again") {
  using Clock = std::chrono::steady_clock;
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole";
  const auto start = Clock::now();
  run_well(tiny_faces + Words{"--out", whole});
  const auto duration = Clock::now() - start;
  constexpr int moments = sanitized ? 2 : 6;
  for (int i = 0; i < moments; ++i) {
    CAPTURE(i);
    const fs::path run = folder / std::to_string(i);
    RunningProgram program(tiny_faces + Words{"--out", run});
    std::this_thread::sleep_for(duration * (2 * i + 1) / (2 * moments));
    program.send(SIGKILL);
    program.finish();
    check_goes_on(tiny_faces, run, whole);
  }

  // One run, killed after every checkpoint it makes.
  const fs::path run = folder / "often";
  fs::create_directories(run);
  int64_t epochs = 0;
  while (epochs < 3) {
    FolderWatch watch(run);
    RunningProgram program((epochs == 0 ? tiny_faces : resume) + Words{"--out", run});
    REQUIRE(watch.wait("last.safetensors", IN_MOVED_TO));
    program.send(SIGKILL);
    program.finish();
    const auto reached = trainer_state(run).at("epoch").get<int64_t>();
    REQUIRE(reached > epochs);
    epochs = reached;
  }
  check_goes_on(tiny_faces, run, whole);
}

TEST_CASE("program: two runs with one seed are equal bit for bit, of two seeds they differ") {
  const TemporaryFolder folder;
  const Words training = {
      "train",        "--model",         "mobilenet_v2",        "--size",   "32",  "--batch",   "8", "--data",
      "synthetic:70", "--epochs",        sanitized ? "1" : "2", "--device", "cpu", "--threads", "2", "--augment",
      "strong",       "--class-weights", "--label-smoothing",   "0.1"};
  run_well(training + Words{"--out", folder / "a"});
  run_well(training + Words{"--out", folder / "b"});
  check_same_runs(folder / "a", folder / "b");
  run_well(training + Words{"--seed", "1", "--out", folder / "c"});
  CHECK(read_file(folder.path() / "a" / "last.safetensors") != read_file(folder.path() / "c" / "last.safetensors"));
}

TEST_CASE("program: trains on every kind of data") {
  const TemporaryFolder folder;
  run_well({"data", "synth", "--count", "70", "--out", folder / "faces.safetensors"});
  const std::string digest = run_json({"data", "info", folder / "faces.safetensors", "--json"}).at("digest");
  for (const char* name : {"faces.csv", "faces"}) {
    run_well({"data", "export", folder / "faces.safetensors", "--out", folder / name});
  }
  // Kaggle's file knows its parts.
  std::string csv = csv_header;
  for (int i = 0; i < 42; ++i) {
    csv += csv_row(std::to_string(i % 7), grey_pixels(2304),
                   i < 28   ? "Training"
                   : i < 35 ? "PublicTest"
                            : "PrivateTest");
  }
  write_file(folder / "kaggle.csv", csv);
  write_file(folder / "votes.csv", [] {
    std::string votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n";
    for (int i = 0; i < 42; ++i) {
      votes += std::string(i < 28   ? "Training"
                           : i < 35 ? "PublicTest"
                                    : "PrivateTest") +
               ",a.png,6,4,0,0,0,0,0,0,0,0\n";
    }
    return votes;
  }());
  const std::vector<Words> kinds = {
      {"synthetic:70"},        {folder / "faces.safetensors"},
      {folder / "faces.csv"},  {folder / "faces"},
      {folder / "kaggle.csv"}, {folder / "kaggle.csv", "--ferplus", folder / "votes.csv", "--labels", "multitarget"}};
  for (size_t i = 0; i < kinds.size(); ++i) {
    CAPTURE(kinds[i][0]);
    const fs::path run = folder / std::to_string(i);
    run_well(tiny + Words{"--epochs", "1", "--batch", "8", "--out", run, "--data"} + kinds[i]);
    CHECK(log_of(run).size() == 1);
    CHECK(run_json({"eval", run, "--json"}).at("n") > 0);
  }
  CHECK(run_json({"data", "info", "synthetic:70", "--json"}).at("images") == 70);
  CHECK(run_json({"data", "info", folder / "faces", "--json"}).at("images") == 70);
  CHECK(run_json({"data", "info", folder / "faces.csv", "--json"}).at("images") == 70);
  CHECK(run_json({"data", "info", "synthetic:70", "--json"}).at("digest") == digest);
}

TEST_CASE("program: train, eval, attack, harden and report hold together") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", set = folder / "set.safetensors";
  run_well(tiny_faces + Words{"--epochs", "1", "--out", run});
  const nlohmann::json clean = run_json({"eval", run, "--json"});
  check_names(clean, {"n", "accuracy", "loss", "per_class", "macro", "weighted", "confusion"});
  CHECK(clean.at("per_class").size() == 7);
  check_names(clean.at("per_class").at("happy"), {"precision", "recall", "f1", "support"});
  check_names(clean.at("macro"), {"precision", "recall", "f1"});
  CHECK(clean.at("confusion").size() == 7);

  const nlohmann::json attacked =
      run_json({"eval", run, "--json", "--attack", "fgsm,one-pixel", "--eps", "0,0.05", "--candidates", "3"});
  check_names(attacked, {"n", "accuracy", "clean_accuracy", "robust_accuracy", "success_rate", "queries"});
  CHECK(attacked.at("clean_accuracy") == clean.at("accuracy"));
  CHECK(attacked.at("robust_accuracy") == clean.at("accuracy"));  // eps 0 changes nothing
  CHECK(attacked.at("attacks").size() == 3);

  run_well({"attack", "fgsm,one-pixel", "--run", run, "--eps", "8/255", "--candidates", "3", "--out", set});
  run_well(tiny_faces +
           Words{"--epochs", "1", "--adversarial", "stored:" + set, "--weights", run, "--out", folder / "hardened"});
  run_well({"report", run, folder / "hardened", "--out", folder / "report.html"});
  CHECK(fs::file_size(folder / "report.html") > 100'000);

  // A set that was made from other data is refused.
  const TemporaryFolder other;
  check_fails(tiny_faces + Words{"--seed", "1", "--adversarial", "stored:" + set, "--out", other / "run"}, set,
              "other data", "synthetic:140");
  CHECK(fs::is_empty(other.path()));
  check_fails({"attack", "telepathy", "--run", run, "--out", set}, "'telepathy'", "fgsm", "one-pixel");
  check_fails({"attack", "fgsm", "--eps", "lots", "--run", run, "--out", set}, "'lots'", "8/255");
  check_fails({"attack", "one-pixel", "--budget", "art", "--candidates", "5", "--run", run, "--out", set},
              "--candidates", "--search random");
  check_fails({"attack", "fgsm", "--target", "smug", "--run", run, "--out", set}, "'smug'", "surprise");
  check_fails({"attack", "fgsm", "--perturb", "rgb", "--run", run, "--out", set}, "one channel");
  check_fails({"eval", run, "--part", "some"}, "'some'", "test, validation, train or all");
  check_fails({"eval", run, "--device", "null"}, "--device null", "use cpu or cuda");
  check_fails({"predict", run, set, "--device", "cpu", "--precision", "bf16"}, "--precision bf16", "needs device cuda");
  check_fails({"eval", run, "--device", "cpu", "--precision", "fp64"}, "'fp64'", "fp32, tf32, bf16");
}

TEST_CASE("program: several attacks, the worst of them for each image, and all that a robust accuracy must say") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  run_well(tiny_faces + Words{"--epochs", "1", "--out", run});
  const Words attacks = {"eval",  run,       "--json",  "--attack", "fgsm,pgd,one-pixel,k-pixel",
                         "--eps", "0.03",    "--steps", "3,5",      "--candidates",
                         "4",     "--limit", "20"};
  const nlohmann::json result = run_json(attacks);
  REQUIRE(result.at("attacks").size() == 5);
  check_names(result, {"seed", "split", "data_digest", "model_digest", "worst_case"});
  const int64_t n = result.at("n");
  int64_t least = n;
  for (const nlohmann::json& attack : result.at("attacks")) {
    check_names(attack, {"attack", "description", "eps", "norm", "steps", "restarts", "pixels", "channels", "target",
                         "seed", "split", "n", "clean_accuracy", "robust_accuracy", "clean_interval", "robust_interval",
                         "success_rate", "queries", "seconds"});
    CHECK(attack.at("n") == n);
    CHECK(attack.at("channels") == "grey-tied");
    least = std::min(least, attack.at("robust_correct").get<int64_t>());
  }
  CHECK(result.at("attacks")[1].at("norm") == "linf");
  CHECK(result.at("attacks")[2].at("steps") == 5);
  CHECK(result.at("attacks")[4].at("norm") == "l0");
  CHECK(result.at("attacks")[4].at("pixels") == 3);
  CHECK(result.at("worst_case").at("robust_correct").get<int64_t>() <= least);
  CHECK(read_json_file(fs::path(run) / "attacks.json").size() == 6);

  const nlohmann::json still = run_json({"eval", run, "--json", "--attack", "pgd", "--eps", "0"});
  CHECK(still.at("robust_accuracy") == still.at("accuracy"));
  const nlohmann::json towards =
      run_json({"eval", run, "--json", "--attack", "pgd", "--eps", "0.5", "--target", "happy", "--limit", "20"});
  CHECK(towards.at("attacks")[0].at("target") == "happy");
  CHECK(towards.at("attacks")[0].at("n") < towards.at("n"));
}

TEST_CASE("program: grey faces in three equal channels are perturbed alike in all, or apart where that is asked") {
  const TemporaryFolder folder;
  Dataset faces = synthetic_faces(42, 1);
  Tensor colour(DType::u8, faces.images.shape().with(3, 3));
  for (int64_t i = 0; i < colour.size(); ++i) {
    colour.data<uint8_t>()[i] = faces.images.data<uint8_t>()[i / 3];
  }
  faces.images = colour;
  const std::string data = folder / "faces.safetensors", run = folder / "run";
  write_dataset(data, faces);
  run_well({"train", "--model", "mobilenet_v2", "--size", "32", "--batch", "7", "--epochs", "1", "--device", "cpu",
            "--data", data, "--out", run});
  for (const std::string mode : {"grey-tied", "rgb"}) {
    const std::string set = folder / (mode + ".safetensors");
    run_well({"attack", "fgsm", "--run", run, "--eps", "0.02", "--limit", "9", "--no-originals", "--out", set,
              "--perturb", mode == "rgb" ? "rgb" : "auto"});
    const Dataset attacked = read_dataset(set);
    CHECK(attacked.metadata.at("channels") == mode);
    REQUIRE(attacked.channels() == 3);
    int64_t apart = 0;
    const float* pixel = attacked.images.data<float>();
    for (int64_t i = 0; i < attacked.images.size(); i += 3) {
      apart += pixel[i] != pixel[i + 1] || pixel[i] != pixel[i + 2];
    }
    CHECK((apart > 0) == (mode == "rgb"));
  }
}

TEST_CASE("program: adversarial sets in 8 bits, as class folders, and taken up again after Ctrl-C") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  run_well(tiny_faces + Words{"--epochs", "1", "--out", run});
  const Words attack = {"attack", "pgd,one-pixel", "--run", run, "--eps", "8/255", "--candidates", "3", "--json"};
  const nlohmann::json bytes = run_json(attack + Words{"--store", "u8", "--out", folder / "u8.safetensors"});
  const nlohmann::json pictures = run_json(attack + Words{"--store", "u8", "--out", folder / "pictures"});
  REQUIRE(bytes.at("versions").size() == 3);
  for (size_t v = 0; v < 3; ++v) {
    CHECK(bytes.at("versions")[v].at("recognised") == pictures.at("versions")[v].at("recognised"));
  }
  check_names(bytes, {"generate_seconds", "store_seconds", "image_bytes", "peak_rss_bytes"});
  const auto metadata = read_safetensors(folder / "u8.safetensors").metadata;
  for (const char* key : {"attack", "eps", "seed", "model_digest", "source_digest", "predictions", "store_seconds"}) {
    CHECK(metadata.count(key) == 1);
  }
  check_fails({"attack", "fgsm", "--run", run, "--out", folder / "no_bytes"}, "--store u8");
  check_fails(attack + Words{"--store", "u8", "--out", folder / "pictures"}, "pictures", "in it already");

  // Trained on in both forms, with a share of its own; what the set cost stands in run.json.
  run_well(tiny_faces + Words{"--epochs", "1", "--adversarial",
                              "stored:" + (folder / "pictures").string() + ",ratio=0.4", "--out", folder / "hardened"});
  const nlohmann::json cost = read_json_file(folder / "hardened" / "run.json").at("stored_set");
  check_names(cost, {"generate_seconds", "store_seconds", "image_bytes", "peak_rss_bytes", "model_digest"});
  CHECK(cost.at("images_used") == 53);  // beside 80 training images
  check_fails(tiny_faces + Words{"--adversarial", "stored:" + (folder / "pictures").string() + ",ratio=0.9", "--out",
                                 folder / "other"},
              "ratio of 0.9", "720", "160");

  // An attack that was stopped and taken up again stores what one that ran through does.
  const Words slow = {"attack", "k-pixel", "--run", run, "--budget", "torchattacks", "--generations", "60"};
  run_well(slow + Words{"--out", folder / "whole.safetensors"});
  RunningProgram program(slow + Words{"--out", folder / "again.safetensors"});
  REQUIRE(program.wait_for_error("32/"));
  program.send(SIGINT);
  const ProgramResult stopped = program.finish();
  CHECK(stopped.status == 130);
  CHECK(holds(stopped.errors, "--resume"));
  CHECK(!fs::exists(folder / "again.safetensors"));
  check_fails(slow + Words{"--pixels", "2", "--resume", "--out", folder / "again.safetensors"}, "--resume", "other");
  run_well(slow + Words{"--resume", "--out", folder / "again.safetensors"});
  const TensorFile whole = read_safetensors(folder / "whole.safetensors"),
                   again = read_safetensors(folder / "again.safetensors");
  const View<float> a = whole.at("images").as<float>(), b = again.at("images").as<float>();
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  CHECK(!fs::exists(folder / "again.safetensors.checkpoint.safetensors"));
}

TEST_CASE("program: distorted images, scored and as pictures") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", data = folder / "faces.safetensors";
  run_well(tiny_faces + Words{"--epochs", "1", "--out", run});
  const nlohmann::json result =
      run_json({"eval", run, "--json", "--distort", "cited,cited-255,clean,cifar-c", "--reference", run})
          .at("distortions");
  CHECK(result.at("scores").size() == 35);
  for (const char* style : {"cited", "cited-255", "clean"}) {
    CHECK(result.at("sections").at(style).at("parts").size() == 5);
  }
  int64_t n = 0;
  for (const auto& part : result.at("sections").at("clean").at("parts")) {
    n += part.at("n").get<int64_t>();
  }
  CHECK(n == result.at("sections").at("clean").at("overall").at("n"));
  CHECK(result.at("mce").at("cifar-c").at("mce") == 1.0);  // against itself
  CHECK(read_json_file(fs::path(run) / "distortions.json") == result);
  check_fails({"eval", run, "--distort", "fog"}, "'fog'", "imagenet-c");
  check_fails({"eval", run, "--distort", "clean", "--reference", run}, "--reference", "imagenet-c");

  run_well({"data", "export", "synthetic:35", "--distort", "cited", "--out", data, "--montage", folder / "sheet.png"});
  CHECK(run_json({"data", "info", data, "--json"}).at("metadata").at("distortion") == "cited");
  CHECK(fs::file_size(folder / "sheet.png") > 1000);
  check_fails({"data", "export", "synthetic:35", "--distort", "cifar-c", "--out", data}, "20 distortions", "cifar-c/");
}

TEST_CASE("program: explain and predict") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", faces = folder / "faces", out = folder / "out";
  run_well(tiny_faces + Words{"--epochs", "1", "--out", run});
  const nlohmann::json moved =
      run_json({"explain", run, "--limit", "6", "--attack", "fgsm", "--eps", "0.05", "--out", out, "--json"});
  CHECK(moved.at("layer") == "blocks.0.1.conv");
  CHECK(moved.at("images") == 6);
  check_names(moved.at("attack"), {"correlation", "overlap", "correlation_new", "overlap_new", "each"});
  const TensorFile maps = read_safetensors(out + "/maps.safetensors");
  for (const char* name : {"maps", "attacked_maps", "class_means", "predicted", "explained", "images"}) {
    CHECK(maps.contains(name));
  }
  CHECK(maps.at("maps").shape() == Shape{6, 8, 8, 1});
  size_t pictures = 0;
  for (const auto& entry : fs::directory_iterator(out)) {
    pictures += entry.path().extension() == ".png";
  }
  CHECK(pictures >= 13);
  check_fails({"explain", run, "--layer", "conv9", "--out", out}, "'conv9'", "blocks.0.1.conv");

  run_well({"data", "export", "synthetic:35", "--out", faces});
  const nlohmann::json predicted = run_json({"predict", run, faces, "--json"});
  REQUIRE(predicted.at("images").size() == 35);
  int64_t right = 0;
  for (const auto& image : predicted.at("images")) {
    check_names(image, {"file", "prediction", "confidence", "probabilities"});
    CHECK(image.at("probabilities").size() == 7);
    right += holds(image.at("file"), "/" + image.at("prediction").get<std::string>() + "/");
  }
  const nlohmann::json scored = run_json({"eval", run, "--data", faces, "--part", "all", "--json"});
  CHECK(scored.at("correct") == right);
  const std::string csv = run_well({"predict", run, faces, "--csv"}).out;
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 36);
  CHECK(csv.rfind("file,prediction,confidence,angry", 0) == 0);
  const std::string one = predicted.at("images")[0].at("file");
  run_well({"explain", run, "--data", one, "--out", folder / "single"});
  CHECK(fs::exists(folder.path() / "single" / "maps.safetensors"));
  write_png(folder / "photo.png", Tensor(DType::u8, {100, 90, 3}));  // of another size, in colour
  CHECK(holds(run_well({"predict", run, folder / "photo.png"}).out, "photo.png"));
  check_fails({"predict", run, folder / "none.png"}, "none.png");
  check_fails({"predict", run, run}, "no PNG or JPEG");
}

TEST_CASE("program: models --json has the known totals of parameters") {
  const std::map<std::string, int64_t> totals = {{"mobilenet_v2", 2'422'855}, {"cnn_1block", 296'135},
                                                 {"cnn_2block", 537'671},     {"cnn_3block", 2'542'663},
                                                 {"cnn_4block", 4'858'695},   {"cnn_5block", 13'113'927}};
  size_t found = 0;
  const nlohmann::json listed = run_json({"models", "--json"});
  for (const auto& model : listed.at("models")) {
    check_names(model, {"name", "parameters_total", "parameters_trainable", "input", "flops_per_image"});
    const auto total = totals.find(model.at("name"));
    if (total != totals.end()) {
      CAPTURE(total->first);
      CHECK(model.at("parameters_total") == total->second);
      ++found;
    }
  }
  CHECK(found == totals.size());
}

TEST_CASE("program: the layers of a step add up to it, and are drawn") {
  if (sanitized) {
    return;  // steps take minutes
  }
  const TemporaryFolder folder;
  const std::string page = folder / "step.html", planned = folder / "plan.html";
  const Words step = {"--batch", "4", "--size", "32", "--threads", "1", "--json"};
  const nlohmann::json bench = run_json(Words{"bench", "step", "--model", "mobilenet_v2", "--device", "cpu",
                                              "--repeats", "5", "--layers", "--page", page} +
                                        step);
  CHECK(bench.at("bench") == "step");
  const double share = bench.at("layers_share_of_step");
  CHECK(share > 0.97);
  CHECK(share <= 1.0);
  double ms = 0;
  for (const auto& layer : bench.at("layers")) {
    check_names(layer, {"ms", "ms_spread", "flops", "bytes", "output_bytes", "offset", "lifetime", "workspace_bytes"});
    ms += layer.at("ms").get<double>();
  }
  const double phases = bench.at("forward_ms").get<double>() + bench.at("backward_ms").get<double>() +
                        bench.at("optimizer_ms").get<double>();
  CHECK(ms == doctest::Approx(phases));
  check_names(bench, {"median_ms_spread", "images_per_s_spread", "node_timing_overhead", "arena",
                      "host_joules_per_step", "host_watts"});
  CHECK(holds(read_file(page), "mobilenet_v2: what a training step costs", "features.18.0"));

  const nlohmann::json plan =
      run_json(Words{"plan", "mobilenet_v2", "--gflops", "100", "--gbs", "10", "--page", planned} + step);
  CHECK(plan.at("arena") == bench.at("arena"));
  CHECK(holds(read_file(planned), "mobilenet_v2: what a training step would cost", "100 GFLOP/s and 10 GB/s"));
  check_fails({"plan", "cnn_1block", "--gflops", "1", "--gbs", "1", "--page", folder / "none" / "page.html"}, "none");
}

TEST_CASE("program: bench op measures one operation, or those of a network") {
  const Words quick = {"--threads", "1", "--device", "cpu", "--repeats", "3", "--json"};
  const nlohmann::json one = run_json(
      Words{"bench", "op", "conv2d", "--shape", "2x9x9x8", "--out-channels", "16", "--kernel", "5", "--stride", "2"} +
      quick);
  CHECK(one.at("bench") == "op");
  REQUIRE(one.at("operations").size() == 3);
  for (const auto& row : one.at("operations")) {
    check_names(row, {"ms", "ms_spread", "gflops", "gbs", "fraction_of_peak", "fraction_of_bandwidth", "count"});
    CHECK(holds(row.at("operation").get<std::string>(), "conv2d"));
    CHECK(row.at("flops").get<int64_t>() / (2 * 2 * 5 * 5 * 16 * 5 * 5 * 8) == 1);  // the bias' adds beside
  }
  const nlohmann::json all =
      run_json(Words{"bench", "op", "--model", "cnn_2block", "--size", "16", "--batch", "2"} + quick);
  const nlohmann::json& rows = all.at("operations");
  CHECK(std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.at("count") > 1; }));
  for (size_t i = 1; i < rows.size(); ++i) {
    CHECK(rows[i - 1].at("total_ms") >= rows[i].at("total_ms"));
  }
  check_fails({"bench", "op", "--device", "cpu"}, "--model", "conv2d");
  check_fails({"bench", "op", "carve", "--shape", "2x2"}, "'carve'", "depthwise_conv2d");
  check_fails({"bench", "op", "relu", "--shape", "2x"}, "'2x'", "32x48x48x64");
  check_fails({"bench", "op", "conv2d", "--shape", "2x8"}, "conv2d", "[N,H,W,C]");
  check_wrong_use({"bench", "op", "conv2d"}, "--shape");
}

TEST_CASE("program: bench data measures what happens to images before the first layer") {
  const TemporaryFolder folder;
  const std::string csv = folder / "faces.csv";
  CHECK(run_program({"data", "export", "synthetic:40", "--out", csv}).status == 0);
  const nlohmann::json result =
      run_json({"bench", "data", csv, "--device", "cpu", "--threads", "1", "--limit", "20", "--batch", "8", "--repeats",
                "2", "--augment", "flip,strong", "--distort", "speckle", "--json"});
  check_names(result, {"peak_rss_bytes", "images", "image_bytes", "machine"});
  std::vector<std::string> names;
  for (const auto& stage : result.at("stages")) {
    names.push_back(stage.at("stage"));
    CHECK(stage.at("ms").get<double>() > 0);
    CHECK(stage.at("images_per_s").get<double>() > 0);
  }
  CHECK(names == Words{"read files", "open", "digest", "split official", "gather", "decode", "augment flip",
                       "augment strong", "distort clean/speckle"});
  CHECK(result.at("stages").at(0).at("bytes") == static_cast<int64_t>(fs::file_size(csv)));
  CHECK(result.at("stages").at(4).at("images") == 16);  // two whole batches
  check_fails({"bench", "data", folder / "none"}, "none", "synthetic[:N]");
  check_fails({"bench", "data", "synthetic:70", "--distort", "smear"}, "smear", "gaussian-blur");
  check_fails({"bench", "data", "synthetic:70", "--augment", "sheer"}, "sheer", "flip");
}

TEST_CASE("program: bench compare says what differs, and what only seems to") {
  const TemporaryFolder folder;
  const auto file = [&](const std::string& name, const nlohmann::json& json) {
    write_file(folder / name, json.dump());
    return (folder / name).string();
  };
  const auto layer = [](const char* scope, double ms, double spread) {
    return nlohmann::json{{"scope", scope},
                          {"operation", "conv2d"},
                          {"phase", "forward"},
                          {"ms", ms},
                          {"ms_spread", {ms - spread, ms + spread}}};
  };
  nlohmann::json before = {
      {"bench", "step"},
      {"model", "a"},
      {"threads", 2},
      {"machine", {{"processor", "old"}}},
      {"median_ms", 10.0},
      {"median_ms_spread", {9.0, 11.0}},
      {"host_watts", "unavailable"},
      {"layers", {layer("one", 3, 0.1), layer("two", 4, 1), layer("two", 1, 0), layer("gone", 1, 0)}}};
  nlohmann::json after = before;
  after["threads"] = 4;
  after["machine"]["processor"] = "new";
  after["median_ms"] = 5.0;
  after["median_ms_spread"] = {4.5, 5.5};
  after["host_watts"] = 30.5;
  after["layers"] = {layer("one", 1.5, 0.1), layer("two", 4.5, 1), layer("two", 1, 0), layer("come", 1, 0)};
  const std::string a = file("a.json", before), b = file("b.json", after);
  const nlohmann::json result = run_json({"bench", "compare", a, b, "--json"});
  CHECK(result.at("settings_that_differ") ==
        nlohmann::json{{"threads", {2, 4}}, {"machine.processor", {"old", "new"}}});
  CHECK(result.at("figures").at("median_ms").at("ratio") == 0.5);
  CHECK(result.at("figures").at("median_ms").at("within_spread") == false);
  CHECK(result.at("figures").at("host_watts") == nlohmann::json{{"a", "unavailable"}, {"b", 30.5}});
  CHECK(result.at("rows").at("one conv2d forward").at("within_spread") == false);
  CHECK(result.at("rows").at("two conv2d forward").at("within_spread") == true);
  CHECK(result.at("rows").at("two conv2d forward #2").at("ratio") == 1.0);
  CHECK(result.at("only_in_a") == nlohmann::json{"gone conv2d forward"});
  CHECK(result.at("only_in_b") == nlohmann::json{"come conv2d forward"});
  const std::string text = run_program({"bench", "compare", a, b}).out;
  CHECK(holds(text, "threads", "2 -> 4", "old -> new", "0.500", "1 of 3 differ in ms", "only in A: gone"));

  before["bench"] = "op";
  check_fails({"bench", "compare", a, file("op.json", before)}, "fer bench step", "fer bench op", "like");
  check_fails({"bench", "compare", a, folder / "none.json"}, "none.json");
  check_fails({"bench", "compare", file("list.json", nlohmann::json::array()), a}, "list.json",
              "no result of fer bench");
  after["median_ms_spread"] = "wide";
  check_fails({"bench", "compare", a, file("damaged.json", after)}, "damaged");
  write_file(folder / "text.json", "{");
  check_fails({"bench", "compare", a, folder / "text.json"}, "text.json", "not valid JSON");
}

TEST_CASE("program: plan prices the step that bench runs, and the process stays within it") {
  struct Case {
    std::string model, batch, threads;
  };
  for (const Case& one : {Case{"cnn_2block", "16", "2"}, Case{"mobilenet_v2", "8", "1"}}) {
    CAPTURE(one.model);
    const Words step = {"--batch", one.batch, "--threads", one.threads, "--json"};
    const nlohmann::json plan = run_json(Words{"plan", one.model, "--gflops", "100", "--gbs", "10"} + step);
    check_names(plan,
                {"model", "batch", "parameters", "planned_peak_bytes", "layers", "flops_per_step", "roofline_ms"});
    check_names(plan.at("layers").at(0), {"shape", "flops", "bytes", "lifetime"});
    const auto planned = plan.at("planned_peak_bytes").get<int64_t>();
    CHECK(planned == plan.at("arena_bytes").get<int64_t>() + plan.at("variable_bytes").get<int64_t>());
    if (sanitized) {
      continue;  // whose memory is not the program's own, and whose steps take minutes
    }
    const nlohmann::json bench = run_json(
        Words{"bench", "step", "--model", one.model, "--device", "cpu", "--repeats", "1", "--warm-up", "1"} + step);
    check_names(bench, {"model", "batch", "parameters", "median_ms", "min_ms", "forward_ms", "backward_ms",
                        "optimizer_ms", "images_per_s", "flops_per_step", "flop_rate_fraction_of_peak",
                        "planned_peak_bytes", "peak_rss_bytes", "peak_device_bytes", "device", "precision", "threads"});
    CHECK(bench.at("planned_peak_bytes") == planned);
    CHECK(bench.at("flops_per_step") == plan.at("flops_per_step"));
    CHECK(bench.at("peak_rss_bytes").get<int64_t>() <= planned + (int64_t{60} << 20));
    CHECK(bench.at("device") == "cpu");
  }
}

TEST_CASE("program: bench forward measures the network that eval runs") {
  const Words tiny_network = {"bench", "forward", "--model", "cnn_1block", "--size", "8", "--device", "cpu"};
  const nlohmann::json bench =
      run_json(tiny_network + Words{"--batch", "64", "--threads", "1", "--repeats", "2", "--layers", "--json"});
  check_names(bench,
              {"model", "batch", "parameters", "median_ms", "min_ms", "max_ms", "repeats", "images_per_s", "flops",
               "flop_rate_fraction_of_peak", "planned_peak_bytes", "peak_rss_bytes", "threads", "layers_share_of_pass"});
  CHECK(bench.at("layers").size() > 5);
  double layers_ms = 0;
  for (const nlohmann::json& layer : bench.at("layers")) {
    CHECK(layer.at("phase") == "forward");
    layers_ms += layer.at("ms").get<double>();
  }
  CHECK(layers_ms <= bench.at("max_ms").get<double>());
  CHECK(bench.at("threads") == 1);
  CHECK(bench.at("min_ms").get<double>() > 0);
  CHECK(bench.at("min_ms") <= bench.at("median_ms"));
  CHECK(bench.at("median_ms") <= bench.at("max_ms"));
  const nlohmann::json step = run_json(Words{"plan", "cnn_1block", "--size", "8", "--batch", "64", "--device", "cpu",
                                             "--gflops", "1", "--gbs", "1", "--json"});
  CHECK(bench.at("flops").get<int64_t>() < step.at("flops_per_step").get<int64_t>() / 2);
  CHECK(bench.at("planned_peak_bytes").get<int64_t>() < 2 * step.at("planned_peak_bytes").get<int64_t>() / 3);
  check_fails(tiny_network + Words{"--memory-limit", "1M"}, "--memory-limit", "training");
  check_fails(tiny_network + Words{"--repeats", "0"}, "--repeats");
}
