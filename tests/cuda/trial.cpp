#include "tests/cuda/trial.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/emulation/memory.h"
#include "tests/cases/run_case.h"

namespace fer::test {

namespace {

double element(const std::byte* data, DType dtype, int64_t i) {
  const auto at = [&](auto type) {
    decltype(type) value;
    std::memcpy(&value, data + i * static_cast<int64_t>(sizeof value), sizeof value);
    return static_cast<double>(value);
  };
  switch (dtype) {
    case DType::f64:
      return at(double{});
    case DType::f32:
      return at(float{});
    case DType::bf16:
      return static_cast<double>(static_cast<float>([&] {
        cuda::bf16 value;
        std::memcpy(&value, data + i * 2, sizeof value);
        return value;
      }()));
    case DType::i64:
      return at(int64_t{});
    case DType::i32:
      return at(int32_t{});
    default:
      return at(uint8_t{});
  }
}

}  // namespace

std::vector<KernelCase>& kernel_cases() {
  static std::vector<KernelCase> all;
  return all;
}

Trial::~Trial() {
  for (const Record& record : records_) {
    emulation::release(record.device);
  }
}

Trial::Record& Trial::allocate(int64_t bytes) {
  Record& record = records_.emplace_back();
  record.bytes = bytes;
  record.device = static_cast<std::byte*>(emulation::allocate(static_cast<size_t>(bytes)));
  return record;
}

template <class T>
Array<T> Trial::make(const Shape& shape, bool filled, double low, double high, bool constant) {
  using Host = typename Array<T>::Host;
  const std::string number = std::to_string(records_.size());
  Record& record = allocate(shape.size() * static_cast<int64_t>(sizeof(T)));
  record.host = Tensor(dtype_of<Host>(), shape);
  record.dtype = dtype_of<T>();
  record.constant = constant;
  const Array<T> array{record.host.as<Host>(), {reinterpret_cast<T*>(record.device), shape}};
  if (filled) {
    const std::vector<double> random = uniform(name_ + ".array" + number, shape.size());
    for (size_t i = 0; i < random.size(); ++i) {
      const double unit = (random[i] + 1) / 2;
      T value;
      if constexpr (std::is_integral_v<T>) {
        value = static_cast<T>(low + std::floor((high - low + 1) * unit));
      } else {
        value = static_cast<T>(static_cast<float>(low + (high - low) * unit));
      }
      array.device.data[i] = value;
      array.host.data[i] = static_cast<Host>(value);
    }
    record.initial.assign(record.device, record.device + record.bytes);
  }
  return array;
}

template <class T>
Array<T> Trial::input(const Shape& shape, double low, double high) {
  return make<T>(shape, true, low, high, true);
}

template <class T>
Array<T> Trial::updated(const Shape& shape, double low, double high) {
  return make<T>(shape, true, low, high, false);
}

template <class T>
Array<T> Trial::output(const Shape& shape) {
  return make<T>(shape, false, 0, 0, false);
}

template <class T>
Array<T> Trial::copy_of(const Shape& shape, const std::vector<T>& elements) {
  const Array<T> array = make<T>(shape, true, 0, 0, true);
  std::copy(elements.begin(), elements.end(), array.device.data);
  std::copy(elements.begin(), elements.end(), array.host.data);
  Record& record = records_.back();
  record.initial.assign(record.device, record.device + record.bytes);
  return array;
}

std::byte* Trial::workspace(int64_t bytes) {
  Record& record = allocate(bytes);
  record.ignored = true;
  return record.device;
}

std::byte* Trial::host_workspace(int64_t bytes) {
  scratch_.emplace_back(DType::u8, Shape{bytes + 1});
  return static_cast<std::byte*>(scratch_.back().view().data);
}

void Trial::tolerance(double f32, double bf16) {
  f32_tolerance_ = f32;
  bf16_tolerance_ = bf16;
}

void Trial::reset() {
  for (const Record& record : records_) {
    if (record.initial.empty()) {
      std::memset(record.device, emulation::poison, static_cast<size_t>(record.bytes));
    } else {
      std::copy(record.initial.begin(), record.initial.end(), record.device);
    }
  }
}

void Trial::compare(const Record& record, size_t number) const {
  const auto* expected = static_cast<const std::byte*>(record.host.view().data);
  const DType dtype = record.dtype;
  double largest = 1e-3, worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < record.host.size(); ++i) {
    const double e = element(expected, record.host.dtype(), i);
    largest = std::isfinite(e) ? std::max(largest, std::abs(e)) : largest;
  }
  for (int64_t i = 0; i < record.host.size(); ++i) {
    const double e = element(expected, record.host.dtype(), i), a = element(record.device, dtype, i);
    const double difference = a == e || (std::isnan(a) && std::isnan(e)) ? 0 : std::abs(a - e);
    if (!(difference <= worst)) {
      worst = difference;
      where = i;
      if (std::isnan(worst)) {
        break;
      }
    }
  }
  const double relative = dtype == DType::f32 ? f32_tolerance_ : dtype == DType::bf16 ? bf16_tolerance_ : 0;
  if (!(worst <= relative * largest)) {
    FAIL_CHECK(name_, ": array ", number, " ", name_of(dtype), " ", record.host.shape(), " differs by ", worst, " at ",
               where, ", allowed ", relative * largest);
  }
}

void Trial::run(const std::function<void(cuda::Stream)>& launches) {
  struct Turn {
    emulation::Order order;
    uint64_t seed;
  };
  std::vector<std::vector<std::byte>> first;
  for (const Turn& turn : {Turn{emulation::Order::forward, 1}, Turn{emulation::Order::reverse, 1},
                           Turn{emulation::Order::random, 1}, Turn{emulation::Order::random, 2}}) {
    reset();
    emulation::set_order(turn.order, turn.seed);
    try {
      launches({});
    } catch (const Error& error) {
      FAIL_CHECK(name_, ": ", std::string(error.what()));
      return;
    }
    for (size_t i = 0; i < records_.size(); ++i) {
      const Record& record = records_[i];
      if (record.ignored) {
        continue;
      }
      const std::vector<std::byte> now(record.device, record.device + record.bytes);
      if (turn.order == emulation::Order::forward) {
        if (record.constant) {
          CHECK_MESSAGE(now == record.initial, name_, ": input ", i, " was changed");
        } else {
          compare(record, i);
        }
      } else if (now != first[i]) {
        FAIL_CHECK(name_, ": array ", i, " depends on the order of threads");
      }
      first.resize(records_.size());
      if (turn.order == emulation::Order::forward) {
        first[i] = now;
      }
    }
    if (emulation::watches_races()) {
      return;
    }
  }
}

#define FER_INSTANTIATE(T)                                           \
  template Array<T> Trial::input<T>(const Shape&, double, double);   \
  template Array<T> Trial::updated<T>(const Shape&, double, double); \
  template Array<T> Trial::output<T>(const Shape&);                  \
  template Array<T> Trial::copy_of<T>(const Shape&, const std::vector<T>&);
FER_INSTANTIATE(float)
FER_INSTANTIATE(double)
FER_INSTANTIATE(cuda::bf16)
FER_INSTANTIATE(int64_t)
FER_INSTANTIATE(int32_t)
FER_INSTANTIATE(uint8_t)
#undef FER_INSTANTIATE

}  // namespace fer::test
