// Every choice of a training run, under the names of the command line; it is what run.json records.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attacks/pgd.h"
#include "data/dataset.h"
#include "kernels/augment.h"
#include "kernels/optimizer.h"

namespace fer {

struct TrainOptions {
  std::string model = "mobilenet_v2";
  std::string data;
  std::string ferplus;
  std::string labels = "none";  // FER+ mode
  int64_t batch = 32;
  int64_t size = 0;  // 0: the network's own
  int64_t channels = 0;
  double dropout = -1;
  double drop_path = -1;            // stochastic depth; negative: the network's own
  double batch_norm_momentum = -1;  // negative: the network's own
  std::string convention = "auto";  // torchvision | keras | auto: as the files of `weights` have it, else torchvision
  std::string normalise = "own";
  std::string head = "paper";
  std::vector<std::string> without = {};  // parts of the network left out
  int64_t epochs = 30;
  double lr = 1e-3;
  std::string optimizer = "adam";
  double momentum = 0.9;  // sgd
  bool nesterov = false;
  std::string schedule = "cosine";  // constant | cosine | onecycle | step | plateau | keras-decay:R
  double weight_decay = 0;
  double label_smoothing = 0;
  bool class_weights = false;     // n / (classes x n_class)
  std::string augment = "paper";  // none | flip | paper | strong
  std::string split = "official";
  double validation = -1;
  bool dedup = false;
  int64_t limit = 0;           // train on at most so many images, drawn with the seed; 0: all
  int64_t early_stopping = 0;  // epochs without a better validation loss; 0: never stop
  std::string weights;         // start from these: FILE or run folder, or PART=FILE[,PART=FILE]
  bool partial = false;
  std::string freeze = "none";       // none | backbone
  int64_t unfreeze_after = 0;        // epochs after which a frozen backbone trains too; 0: never
  std::string adversarial = "none";  // see parse_adversarial
  uint64_t seed = 0;
  int64_t threads = 0;       // 0: all
  int64_t memory_limit = 0;  // bytes; 0: none

  // Throws naming the option, its value and what would be right.
  void check() const;
};

nlohmann::json to_json(const TrainOptions& options);
// Fields that are missing keep their defaults; an unknown field is an error that names it.
TrainOptions train_options_from_json(const nlohmann::json& json);

// none; flip; paper (rotation 10 degrees, shift 0.1, flip: papers 000 and 004); strong (more of it, zoom, shear, light,
// erasing).
AugmentParams augmentation(const std::string& name);

OptimizerParams optimizer_params(const TrainOptions& options);

// What `--adversarial` says:
//   none
//   stored:FILE.safetensors[,ratio=R]   attacked versions of training images stand beside them: all that the file
//                                       holds, or as many, drawn with the seed, as make R of the whole
//   fly:fgsm,eps=E[,ratio=R]            made in every step from the network as it is; R (default 0.5) is their share of
//                                       the loss
//   fly:pgd,eps=E[,steps=10][,step=S][,start=random|none][,ratio=R]
struct AdversarialTraining {
  enum class Kind { none, stored, fly } kind = Kind::none;
  std::string file;   // stored
  PgdOptions attack;  // fly; fgsm is one step of size eps without a random start
  double ratio = -1;  // negative for stored sets that are taken whole
};
AdversarialTraining parse_adversarial(const std::string& text);

// "0.03" or "8/255". Throws naming the text unless it is a number from 0 to 1.
double parse_eps(const std::string& text);

}  // namespace fer
