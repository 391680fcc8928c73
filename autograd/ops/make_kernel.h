// From functions to the kernels that operations hand the planner. A function's parameters say what it is to be given:
//
//   View<const T>         the next input (null where there are no more: a bias that is left out)
//   Pieces<const T>       the next input, and those after all that the other parameters take
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
#include "kernels/pieces.h"
#include "kernels/prepared.h"

namespace fer {

namespace kernel_arguments {

enum class Kind { input, output, step, workspace, stream, reference, given };

template <class P>
constexpr Kind kind_of = Kind::given;
template <class T>
constexpr Kind kind_of<View<T>> = std::is_const_v<T> ? Kind::input : Kind::output;
template <class T>
constexpr Kind kind_of<Pieces<const T>> = Kind::input;
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

template <class P>
struct ElementOf;
template <class T>
struct ElementOf<View<T>> {
  using Type = T;
};
template <class T>
struct ElementOf<Pieces<T>> {
  using Type = T;
};

// `named`: how many inputs the parameters take one by one.
template <class P, size_t place, size_t named, class... Given>
P argument(const Sources& from, const std::tuple<Given...>& given) {
  constexpr Kind kind = kind_of<P>;
  if constexpr (kind == Kind::input || kind == Kind::output) {
    using Element = typename ElementOf<P>::Type;
    const auto views = kind == Kind::input ? from.in : from.out;
    P result = place < views.size() ? P(views[place].template as<Element>()) : P{};
    if constexpr (std::is_same_v<P, Pieces<Element>>) {
      for (size_t i = named; i < views.size(); ++i) {
        result.add(views[i].template as<Element>());
      }
    }
    return result;
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

// The types of the views of one kind.
template <Kind kind, class... P>
std::vector<DType> types() {
  std::vector<DType> result;
  const auto add = [&]<class One>(std::type_identity<One>) {
    if constexpr (kind_of<One> == kind) {
      result.push_back(dtype_of<std::remove_const_t<typename ElementOf<One>::Type>>());
    }
  };
  (add(std::type_identity<P>()), ...);
  return result;
}

template <class... P, class Function, class... Given>
Kernel bind(Function function, const PrepareOptions& options, const Given&... given) {
  return {[function = std::move(function), stream = options.stream, reference = options.reference,
           given = std::tuple<Given...>(given...)](const StepContext* step, std::span<const AnyView> in,
                                                   std::span<const AnyView> out, std::byte* workspace) {
    const Sources from{step, in, out, workspace, stream, reference};
    const auto call = [&]<size_t... i>(std::index_sequence<i...>) {
      constexpr auto place = places<P...>();
      constexpr size_t named = ((kind_of<P> == Kind::input) + ... + 0);
      static_cast<void>(function(argument<P, place[i], named>(from, given)...));
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
  kernel.saved_flops = prepared.saved_flops;
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
  kernel.reads = kernel_arguments::types<kernel_arguments::Kind::input, P...>();
  kernel.writes = kernel_arguments::types<kernel_arguments::Kind::output, P...>();
  return kernel;
}

// Throws, naming the operation, when values of type `dtype` are none that the GPU computes with.
void check_launchable(const Operation& operation, DType dtype);

// What `launch`(launchers) makes of the GPU's launchers for activations of the type that `options` ask for.
template <class Launch>
Kernel with_launchers(const Operation& operation, DType dtype, const PrepareOptions& options, const Launch& launch) {
  check_launchable(operation, dtype);
  return options.precision == Precision::bf16 ? launch(options.cuda->bf16_activations)
                                              : launch(options.cuda->f32_activations);
}

// `cpu`(T{}) is the function for elements of type T on the CPU, `f32` and `bf16` its counterparts on the GPU.
template <class Cpu, class F32, class Bf16, class... Given>
Kernel make_kernel(const Operation& operation, DType dtype, const PrepareOptions& options, Cpu cpu,
                   F32 cuda::Launchers<float>::*f32, Bf16 cuda::Launchers<cuda::bf16>::*bf16, const Given&... given) {
  if (options.cuda != nullptr) {
    check_launchable(operation, dtype);
    return options.precision == Precision::bf16 ? launch_kernel(options.cuda->bf16_activations.*bf16, options, given...)
                                                : launch_kernel(options.cuda->f32_activations.*f32, options, given...);
  }
  return with_float_type(operation.name(), dtype,
                         [&](auto scalar) { return call_kernel(cpu(scalar), options, given...); });
}

// The functions that make_kernel wants where both devices have them under one name.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define FER_BOTH_DEVICES(name) \
  [](auto scalar) { return &name<decltype(scalar)>; }, &cuda::Launchers<float>::name, &cuda::Launchers<cuda::bf16>::name
// NOLINTEND(bugprone-macro-parentheses)

// A kernel from `product`, which a library of the GPU computes: inputs (a, b[, bias]).
Kernel product_kernel(cuda::PreparedProduct product, const PrepareOptions& options);

// The kernel of what the GPU's library prepares; none for the CPU, where there is no library, or it does not take it.
template <class Product>
std::optional<Kernel> library_kernel(const Operation& operation, DType dtype, const PrepareOptions& options,
                                     cuda::PreparedProduct (*cuda::KernelTable::*prepare)(const Product&),
                                     const Product& product) {
  if (options.cuda == nullptr || options.cuda->*prepare == nullptr || options.reference) {
    return {};
  }
  check_launchable(operation, dtype);
  cuda::PreparedProduct prepared = (options.cuda->*prepare)(product);
  return prepared.run ? std::optional(product_kernel(std::move(prepared), options)) : std::nullopt;
}

}  // namespace fer
