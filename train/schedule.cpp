#include "train/schedule.h"

#include <cmath>
#include <cstdlib>
#include <numbers>

#include "tensor/error.h"

namespace fer {

Schedule::Schedule(const std::string& text, double lr, int64_t steps) : lr_(lr), steps_(std::max<int64_t>(steps, 1)) {
  constexpr std::string_view keras = "keras-decay:";
  if (text == "constant") {
    kind_ = Kind::constant;
  } else if (text == "cosine") {
    kind_ = Kind::cosine;
  } else if (text == "onecycle") {
    kind_ = Kind::onecycle;
  } else if (text == "step") {
    kind_ = Kind::step;
  } else if (text == "plateau") {
    kind_ = Kind::plateau;
  } else if (text.rfind(keras, 0) == 0) {
    kind_ = Kind::keras_decay;
    char* end = nullptr;
    decay_ = std::strtod(text.c_str() + keras.size(), &end);
    if (text.size() == keras.size() || *end != '\0' || !(decay_ >= 0)) {
      fail("--schedule '", text, "': the decay after keras-decay: must be a number, zero or positive");
    }
  } else {
    fail("--schedule '", text, "': must be constant, cosine, onecycle, step, plateau or keras-decay:R");
  }
}

double Schedule::rate(int64_t step) const {
  const double done = static_cast<double>(step) / static_cast<double>(steps_);
  const auto cosine = [](double from, double to, double share) {
    return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
  };
  switch (kind_) {
    case Kind::constant:
      return lr_;
    case Kind::cosine: {
      constexpr double warm_up = 0.03;
      return done < warm_up
                 ? lr_ * (done + 1.0 / static_cast<double>(steps_)) / (warm_up + 1.0 / static_cast<double>(steps_))
                 : cosine(lr_, 0, (done - warm_up) / (1 - warm_up));
    }
    case Kind::onecycle: {
      constexpr double rise = 0.3;
      return done < rise ? cosine(lr_ / 25, lr_, done / rise) : cosine(lr_, lr_ / 1e4, (done - rise) / (1 - rise));
    }
    case Kind::step:
      return done < 0.5 ? lr_ : (done < 0.75 ? lr_ / 10 : lr_ / 100);
    case Kind::plateau:
      return lr_ * state.factor;
    case Kind::keras_decay:
      return lr_ / (1 + decay_ * static_cast<double>(step));
  }
  return lr_;
}

void Schedule::observe(double loss) {
  constexpr int64_t patience = 5;
  if (loss < state.best) {
    state.best = loss;
    state.bad_epochs = 0;
  } else if (++state.bad_epochs >= patience) {
    state.factor /= 2;
    state.bad_epochs = 0;
  }
}

}  // namespace fer
