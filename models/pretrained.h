// Starting from weights that exist: ours, torchvision's, timm's or Keras', for a whole network or for its parts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "layers/network.h"
#include "models/model.h"

namespace fer {

// What --weights gives for network `model`: FILE (or a run folder), or PART=FILE,PART=FILE for a network with
// backbones. Every file exists and is none of the formats that cannot be read; throws naming it otherwise.
class Pretrained {
 public:
  Pretrained(const std::string& model, const std::string& weights);

  // Whose convention the files follow, where they tell: Keras' files do, and those of our own networks. Throws when
  // two files contradict each other.
  std::optional<Convention> convention() const;

  // Fills `network`, made with `options` as resolve() returns them. Returns a line for everything a user should know:
  // what was replaced, adapted, left over, and the normalisation the weights were trained with if it differs. Throws
  // when a file is of another convention than `options`, or lacks a tensor, or has it in another shape; with `partial`,
  // what a file lacks keeps its first values.
  std::vector<std::string> load(const ModelOptions& options, bool partial, const Network& network) const;

 private:
  struct Part {
    Backbone backbone;  // all of the network where its prefix is empty
    std::filesystem::path file;
  };

  std::string model_;
  std::vector<Part> parts_;
};

}  // namespace fer
