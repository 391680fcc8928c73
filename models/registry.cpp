#include "models/model.h"
#include "models/networks.h"

namespace fer {

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> all = {
      {"cnn_1block", "paper 004, table 3", 48, 1, "output", make_cnn<1>},
      {"cnn_2block", "paper 004, the final model", 48, 1, "output", make_cnn<2>},
      {"cnn_3block", "paper 004, table 3", 48, 1, "output", make_cnn<3>},
      {"cnn_4block", "paper 004, the dropout ablation", 48, 1, "output", make_cnn<4>},
      {"cnn_5block", "paper 004, the baseline", 48, 1, "output", make_cnn<5>},
      {"mobilenet_v2", "paper 000", 75, 3, "classifier", make_mobilenet_v2},
      {"se_separable", "paper 003", 48, 1, "output", make_se_separable},
  };
  return all;
}

}  // namespace fer
