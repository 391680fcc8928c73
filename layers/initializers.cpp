#include "layers/initializers.h"

#include <cmath>

namespace fer {

namespace {

// An initializer that fills every element with draw(random).
template <class Draw>
Initializer each(Draw draw) {
  return [draw](Tensor& value, RandomSequence& random) {
    with_float_type("initializer", value.dtype(), [&](auto scalar) {
      using T = decltype(scalar);
      for (T& element : value.as<T>()) {
        element = static_cast<T>(draw(random));
      }
    });
  };
}

}  // namespace

Initializer filled(double value) {
  return each([=](RandomSequence&) { return value; });
}

Initializer he_normal(int64_t fan) { return normal(std::sqrt(2.0 / static_cast<double>(fan))); }

Initializer normal(double standard_deviation) {
  return each([=](RandomSequence& random) { return standard_deviation * random.normal(); });
}

Initializer uniform(double bound) {
  return each([=](RandomSequence& random) { return bound * (2.0 * random.uniform() - 1.0); });
}

}  // namespace fer
