// Learning rates over a run.
#pragma once

#include <cstdint>
#include <string>

namespace fer {

class Schedule {
 public:
  // `text` as on the command line; `lr` the base (for onecycle: the highest) rate; `steps` of the whole run.
  //   constant       lr
  //   cosine         lr (1 + cos(pi t)) / 2, after a linear warm-up over the first 3% of the steps
  //   onecycle       up from lr / 25 over 30% of the steps, then down to lr / 1e4, both along a cosine
  //   step           lr, lr / 10 from half of the steps on, lr / 100 from three quarters on
  //   plateau        halved when the validation loss has not improved for 5 epochs
  //   keras-decay:R  lr / (1 + R step)
  Schedule(const std::string& text, double lr, int64_t steps);

  double rate(int64_t step) const;

  // Tells plateau an epoch's validation loss.
  void observe(double loss);

  // What plateau remembers, for checkpoints.
  struct State {
    double factor = 1, best = 1e300;
    int64_t bad_epochs = 0;
  };
  State state;

 private:
  enum class Kind { constant, cosine, onecycle, step, plateau, keras_decay };
  Kind kind_;
  double lr_;
  double decay_ = 0;
  int64_t steps_;
};

}  // namespace fer
