#include "models/model.h"
#include "models/networks.h"

namespace fer {

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> all = {
      {"cnn_1block", "paper 004, table 3", 48, 1, "output", make_cnn<1>, {"batch_norm"}},
      {"cnn_2block", "paper 004, the final model", 48, 1, "output", make_cnn<2>, {"batch_norm"}},
      {"cnn_3block", "paper 004, table 3", 48, 1, "output", make_cnn<3>, {"batch_norm"}},
      {"cnn_4block", "paper 004, the dropout ablation", 48, 1, "output", make_cnn<4>, {"batch_norm"}},
      {"cnn_5block", "paper 004, the baseline", 48, 1, "output", make_cnn<5>, {"batch_norm"}},
      {"mobilenet_v2", "paper 000", 75, 3, "classifier", make_mobilenet_v2},
      {"densenet121", "paper 000", 75, 3, "classifier", make_densenet121},
      {"vgg19", "paper 000", 75, 3, "classifier", make_vgg19},
      {"edl",
       "paper 000, the ensemble",
       75,
       3,
       "output",
       make_edl,
       {},
       Normalisation::none,
       {{"densenet", "densenet121", "features"},
        {"mobilenet", "mobilenet_v2", "features"},
        {"vgg", "vgg19", "features"}}},
      {"resnet50", "paper 001", 48, 3, "fc", make_resnet50},
      {"vggface", "paper 001", 224, 3, "classifier.6", make_vggface},
      {"vanilla_cnn", "paper 001", 48, 1, "output", make_vanilla_cnn},
      {"stn_resnet50",
       "paper 001",
       48,
       3,
       "resnet.fc",
       make_stn_resnet50,
       {},
       Normalisation::none,
       {{"resnet", "resnet50", ""}}},
      {"se_separable", "paper 003", 48, 1, "output", make_se_separable, {"squeeze_excite", "shortcut", "separable"}},
      {"efficientnet_b0", "paper 004", 48, 3, "classifier", make_efficientnet_b0, {}, Normalisation::imagenet},
  };
  return all;
}

}  // namespace fer
