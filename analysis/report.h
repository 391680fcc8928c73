// The HTML report of one or more runs: one self-contained file that opens from disk with no network.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "analysis/metrics.h"
#include "tensor/tensor.h"

namespace fer {

// A face and what the network made of it.
struct SamplePrediction {
  Tensor image;  // u8 [H,W,C]
  std::string label;
  std::string prediction;
  double confidence = 0;
};

// A face before and after an attack.
struct AttackPanel {
  Tensor clean;        // f32 [H,W,C] in [0,1]
  Tensor attacked;     // the same
  std::string attack;  // "fgsm eps 0.03"
  std::string label, clean_prediction, attacked_prediction;
  double clean_confidence = 0, attacked_confidence = 0;
};

struct RunReport {
  std::string name;                    // of the run folder
  nlohmann::json run;                  // run.json: options, seed, versions, machine, data digest, split sizes
  std::vector<nlohmann::json> epochs;  // log.jsonl: epoch, train_loss, train_accuracy, validation_loss,
                                       // validation_accuracy, learning_rate, seconds, images_per_second,
                                       // planned_peak_bytes, peak_rss_bytes; missing keys are left out,
                                       // any other that ends in _loss or _accuracy is drawn too
  std::optional<Evaluation> test;
  std::vector<RobustEvaluation> attacks;
  nlohmann::json distortions;  // distortions.json: scores, sections, mce; null where there are none
  std::vector<SamplePrediction> samples;
  std::vector<AttackPanel> panels;
  std::vector<std::pair<std::string, std::string>> cost;  // label, value with unit: the cost table's rows
};

// `title` heads the page. With several runs the page begins with a table that compares them (clean and robust accuracy
// with intervals, and the rows of the cost tables). Throws when an attack panel's two images differ in size.
std::string render_report(const std::string& title, const std::vector<RunReport>& runs);

}  // namespace fer
