// A run folder: run.json, log.jsonl, best.safetensors, last.safetensors, evaluation.json, attacks.json,
// distortions.json, report.html.
#pragma once

#include <filesystem>

#include "analysis/report.h"
#include "apps/common.h"

namespace fer {

// Written before training starts, so that a run can be resumed and repeated. `stored_set` is what the stored
// adversarial set says of itself, if there is one: its cost stands in run.json.
void write_run_json(const std::filesystem::path& run, const TrainOptions& options, const Dataset& dataset,
                    const Split& split, const std::map<std::string, std::string>& stored_set);

struct RunRecord {
  nlohmann::json json;
  TrainOptions options;
  Split split;
  std::string digest;
};
RunRecord read_run_json(const std::filesystem::path& run);

// The data that training options name.
Dataset open_training_data(const TrainOptions& options);

// The same for a finished run; throws when it has changed since.
Dataset open_run_data(const RunRecord& record);

// Probabilities and scores of a network on samples of a data set.
Evaluation evaluate_network(const Network& network, const Dataset& dataset, const std::vector<int32_t>& samples);

// Keeps an attack's result in attacks.json, in place of an earlier one of the same description.
void record_attack(const std::filesystem::path& run, const RobustEvaluation& result);

// Gathers everything a report shows; pictures are made from the run's data when it is still there.
RunReport collect_report(const std::filesystem::path& run);

// Writes report.html for one or more runs; returns their scores as a table for a terminal, a column a run.
std::string write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& out);

}  // namespace fer
