// From functions to the kernels that operations hand the planner. A function's parameters say what it is to be given:
//
//   View<const T>         the next input (null where there are no more: a bias that is left out)
//   View<T>               the next output, likewise
//   const StepContext & * seed and step
//   std::byte*            the workspace
//   cuda::Stream          the queue of the GPU
//   bool                  whether the plain loop is asked for
//   anything else         the next of the arguments given here: parameters of the operation
#pragma once

#include <array>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autograd/operation.h"
#include "kernels/cuda/kernel_table.h"
#include "kernels/prepared.h"

namespace fer {

namespace kernel_arguments {

enum class Kind { input, output, step, workspace, stream, reference, given };

template <class P>
constexpr Kind kind_of = Kind::given;
template <class T>
constexpr Kind kind_of<View<T>> = std::is_const_v<T> ? Kind::input : Kind::output;
template <>
inline constexpr Kind kind_of<const StepContext&> = Kind::step;
template <>
inline constexpr Kind kind_of<const StepContext*> = Kind::step;
template <>
inline constexpr Kind kind_of<std::byte*> = Kind::workspace;
template <>
inline constexpr Kind kind_of<cuda::Stream> = Kind::stream;
template <>
inline constexpr Kind kind_of<bool> = Kind::reference;

// For each parameter, how many of its kind stand before it.
template <class... P>
constexpr std::array<size_t, sizeof...(P)> places() {
  constexpr std::array<Kind, sizeof...(P)> kinds{kind_of<P>...};
  std::array<size_t, sizeof...(P)> result{};
  for (size_t i = 0; i < kinds.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      result[i] += kinds[j] == kinds[i];
    }
  }
  return result;
}

// What a run has to give.
struct Sources {
  const StepContext* step;
  std::span<const AnyView> in, out;
  std::byte* workspace;
  cuda::Stream stream;
  bool reference;
};

template <class P, size_t place, class... Given>
P argument(const Sources& from, const std::tuple<Given...>& given) {
  constexpr Kind kind = kind_of<P>;
  if constexpr (kind == Kind::input || kind == Kind::output) {
    using Element = std::remove_pointer_t<decltype(P::data)>;
    const auto views = kind == Kind::input ? from.in : from.out;
    return place < views.size() ? views[place].template as<Element>() : P{};
  } else if constexpr (std::is_same_v<P, const StepContext&>) {
    return *from.step;
  } else if constexpr (kind == Kind::step) {
    return from.step;
  } else if constexpr (kind == Kind::workspace) {
    return from.workspace;
  } else if constexpr (kind == Kind::stream) {
    return from.stream;
  } else if constexpr (kind == Kind::reference) {
    return from.reference;
  } else {
    return std::get<place>(given);
  }
}

template <class... P, class Function, class... Given>
Kernel bind(Function function, const PrepareOptions& options, const Given&... given) {
  return {[function = std::move(function), stream = options.stream, reference = options.reference,
           given = std::tuple<Given...>(given...)](const StepContext* step, std::span<const AnyView> in,
                                                   std::span<const AnyView> out, std::byte* workspace) {
    const Sources from{step, in, out, workspace, stream, reference};
    const auto call = [&]<size_t... i>(std::index_sequence<i...>) {
      constexpr auto place = places<P...>();
      static_cast<void>(function(argument<P, place[i]>(from, given)...));
    };
    call(std::index_sequence_for<P...>{});
  }};
}

}  // namespace kernel_arguments

// The kernel that calls `function` on the CPU.
template <class Result, class... P, class... Given>
Kernel call_kernel(Result (*function)(P...), const PrepareOptions& options, const Given&... given) {
  return kernel_arguments::bind<P...>(function, options, given...);
}

// The same for what was made ready for fixed shapes.
template <class... P>
Kernel call_kernel(Prepared<void(P...)> prepared, const PrepareOptions& options) {
  Kernel kernel = kernel_arguments::bind<P...>(std::move(prepared.run), options);
  kernel.workspace_bytes = prepared.workspace_bytes;
  return kernel;
}

// Whether an operation that has a kernel made ready for fixed shapes, on the CPU and in f32, is to take it.
inline bool takes_prepared(DType dtype, const PrepareOptions& options) {
  return options.cuda == nullptr && dtype == DType::f32 && !options.reference;
}

// The kernel that calls `launcher`, for the GPU.
template <class Result, class... P, class... Given>
Kernel launch_kernel(Result (*launcher)(P...), const PrepareOptions& options, const Given&... given) {
  Kernel kernel = kernel_arguments::bind<P...>(launcher, options, given...);
  kernel.device = Device::cuda;
  return kernel;
}

// The GPU's launchers for `dtype`; null when the kernel is to run on the CPU. Throws, naming the operation, for a type
// that it does not compute in there.
const cuda::Launchers<float>* launchers_for(const Operation& operation, DType dtype, const PrepareOptions& options);

// `cpu`(T{}) is the function for elements of type T on the CPU, `launcher` its counterpart on the GPU.
template <class Cpu, class Launcher, class... Given>
Kernel make_kernel(const Operation& operation, DType dtype, const PrepareOptions& options, Cpu cpu,
                   Launcher cuda::Launchers<float>::*launcher, const Given&... given) {
  if (const auto* launchers = launchers_for(operation, dtype, options)) {
    return launch_kernel(launchers->*launcher, options, given...);
  }
  return with_float_type(operation.name(), dtype,
                         [&](auto scalar) { return call_kernel(cpu(scalar), options, given...); });
}

// The last two of make_kernel's arguments where both devices have the function under one name.
// NOLINTNEXTLINE(bugprone-macro-parentheses)
#define FER_BOTH_DEVICES(name) [](auto scalar) { return &name<decltype(scalar)>; }, &cuda::Launchers<float>::name

}  // namespace fer
