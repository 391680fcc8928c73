// Shared by the files of metrics; no one else needs it.
#pragma once

#include "analysis/metrics.h"

namespace fer {

// Fills everything but `classes`, `confusion` and `loss` from those.
void score_confusion(Evaluation& evaluation);

// Fills the accuracies and their intervals from the counts.
void score_attack(RobustEvaluation& evaluation);

}  // namespace fer
