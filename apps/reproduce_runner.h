// Runs the steps of a paper one after the other as child processes, and keeps each one's result as a file.
#pragma once

#include <filesystem>
#include <map>

#include "apps/reproduce_declaration.h"

namespace fer::reproduce {

struct Settings {
  std::string data, ferplus;
  std::map<std::string, std::string> weights;  // of a model: a file
  std::vector<std::string> left_out;           // steps not to run, nor what needs them
  bool quick = false;
  int64_t shorten = 0;  // most epochs; 0: as the paper has it
  std::filesystem::path out;
};

// One step in one protocol with one seed.
struct Task {
  const Step* step = nullptr;
  size_t protocol = 0;
  uint64_t seed = 0;
  nlohmann::json options;          // placeholders filled in
  std::vector<std::string> words;  // of the command line; empty for data
  std::filesystem::path output;    // run folder, set or data file; empty for eval
  std::filesystem::path result;    // JSON: see run_task
  std::string label;               // how it differs from the full run: "quick", "5 of 100 epochs"; empty: not at all
  std::string missing;             // why it is not run: what was not given, or is left out
  std::vector<size_t> needs;       // indices of tasks before it

  std::string title() const;  // "paper mobilenet, seed 0"
  // The command as it is recorded: the same in whatever folder, so that results can be recognised.
  std::string command(const Settings& settings) const;
};

// The tasks that the figures of `tables` need, in the order to run them. The data are shared by protocols and seeds.
std::vector<Task> plan_tasks(const Paper& paper, const std::vector<const Table*>& tables,
                             const std::vector<size_t>& wanted_protocols, const Settings& settings);

// Throws when the output folder holds results of other settings or other data.
void check_kept_results(const std::vector<Task>& tasks, const Settings& settings);

// Its result is there, and its output too.
bool is_done(const Task& task);

// Does a task unless its result is there, and writes {paper, step, protocol, seed, command, label, state, seconds,
// result | error}: state is running, done or failed. Training that was stopped goes on from its checkpoint. Returns
// false when it failed. Throws Interrupted once the child has ended after Ctrl-C.
bool run_task(const Paper& paper, const std::vector<Task>& tasks, size_t index, const Settings& settings);

// Prints what the tasks that are still to do will take on this machine at most, from one measured training step of
// each network (from its arithmetic where a step alone would take long). The data steps must be done.
void print_estimate(const std::vector<Task>& tasks);

// The finished, failed and unfinished results of a step that the folder holds, by seed.
std::vector<nlohmann::json> kept_results(const std::filesystem::path& out, const Step& step, size_t protocol);

}  // namespace fer::reproduce
