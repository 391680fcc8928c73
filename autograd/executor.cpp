#include "autograd/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace fer {

namespace {

constexpr int poison = 0xFF;  // as floats: NaN

}  // namespace

Executor::Executor(Plan plan, Device device, std::shared_ptr<Variables> variables, std::shared_ptr<Arena> arena)
    : plan_(std::move(plan)),
      device_(device),
      variables_(std::move(variables)),
      arena_(arena ? std::move(arena) : std::make_shared<Arena>()) {
  if (device != Device::cpu && device != Device::null) {
    fail("executor: ", unavailable_reason(device));
  }
  views_.resize(plan_.values().size());
  held_.resize(plan_.values().size());
  for (size_t i = 0; i < views_.size(); ++i) {
    views_[i] = {nullptr, plan_.values()[i].type.dtype, plan_.values()[i].type.shape};
  }
  if (device_ == Device::null) {
    return;
  }
  arena_->reserve(plan_.peak_bytes());
  for (const PlannedNode& node : plan_.nodes()) {
    for (int input : node.inputs) {
      const PlannedValue& value = plan_.values()[static_cast<size_t>(input)];
      if (value.kind == ValueKind::variable) {
        held_[static_cast<size_t>(input)] = variables_->get(value.name, value.type, value.initializer);
        views_[static_cast<size_t>(input)] = held_[static_cast<size_t>(input)].view();
      }
    }
  }
  calls_.resize(plan_.nodes().size());
  resolve();
  if (plan_.guarded()) {
    std::memset(arena_->data(), poison, static_cast<size_t>(plan_.peak_bytes()));
  }
}

void Executor::resolve() {
  for (size_t i = 0; i < views_.size(); ++i) {
    const PlannedValue& value = plan_.values()[i];
    if (value.offset >= 0) {
      views_[i].data = arena_->data() + value.offset;
    }
  }
  // A reshaped variable or resident has no place in the arena: it is where its source is.
  for (const PlannedNode& node : plan_.nodes()) {
    AnyView& view = views_[static_cast<size_t>(node.outputs.empty() ? 0 : node.outputs[0])];
    if (node.operation->is_view() && view.data == nullptr) {
      view.data = views_[static_cast<size_t>(node.inputs[0])].data;
    }
  }
  for (size_t i = 0; i < calls_.size(); ++i) {
    const PlannedNode& node = plan_.nodes()[i];
    calls_[i].inputs.clear();
    calls_[i].outputs.clear();
    for (int input : node.inputs) {
      calls_[i].inputs.push_back(views_[static_cast<size_t>(input)]);
    }
    for (int output : node.outputs) {
      calls_[i].outputs.push_back(views_[static_cast<size_t>(output)]);
    }
  }
  resolved_for_ = arena_->data();
}

namespace {

// What the plan knows of a value that is given from outside; throws when it is not `kind`, or `elements` do not fit.
const PlannedValue& given(const Plan& plan, std::string_view who, Value value, ValueKind kind,
                          const AnyView& elements) {
  const PlannedValue& planned = plan.values()[static_cast<size_t>(value.id())];
  if (planned.kind != kind) {
    fail(who, ": '", planned.name, kind == ValueKind::input ? "' is not an input" : "' is not resident");
  }
  if (elements.dtype != planned.type.dtype || elements.shape != planned.type.shape) {
    fail(who, ": '", planned.name, "' expects ", planned.type, ", was given ", elements.dtype, elements.shape);
  }
  return planned;
}

}  // namespace

Executor& Executor::feed(Value input, AnyView elements) {
  const PlannedValue& value = given(plan_, "feed", input, ValueKind::input, elements);
  if (device_ == Device::null || value.offset < 0) {
    return *this;  // nothing runs, or nothing reads it
  }
  arena_->reserve(plan_.peak_bytes());
  std::memcpy(arena_->data() + value.offset, elements.data, static_cast<size_t>(elements.bytes()));
  return *this;
}

Executor& Executor::bind(Value resident, AnyView elements) {
  given(plan_, "bind", resident, ValueKind::resident, elements);
  views_[static_cast<size_t>(resident.id())].data = elements.data;
  resolved_for_ = nullptr;
  return *this;
}

void Executor::run(const StepContext& step, std::vector<double>* seconds) {
  if (device_ == Device::null) {
    return;
  }
  if (resolved_for_ != arena_->data()) {
    resolve();
  }
  if (seconds != nullptr) {
    seconds->assign(calls_.size(), 0.0);
  }
  using Clock = std::chrono::steady_clock;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const PlannedNode& node = plan_.nodes()[i];
    if (!node.kernel.run) {
      continue;
    }
    const auto start = seconds != nullptr ? Clock::now() : Clock::time_point();
    node.kernel.run(step, calls_[i].inputs, calls_[i].outputs, arena_->data() + node.workspace_offset);
    if (seconds != nullptr) {
      (*seconds)[i] = std::chrono::duration<double>(Clock::now() - start).count();
    }
    if (plan_.guarded()) {
      check_guards(node);
    }
  }
}

void Executor::check_guards(const PlannedNode& node) const {
  const auto intact = [&](int64_t begin, int64_t end) {
    return std::all_of(arena_->data() + begin, arena_->data() + end,
                       [](std::byte b) { return b == static_cast<std::byte>(poison); });
  };
  const auto check = [&](int64_t offset, int64_t bytes, const std::string& what) {
    if (!intact(offset - guard_bytes, offset) ||
        !intact(offset + bytes, offset + round_up(bytes, memory_alignment) + guard_bytes)) {
      fail(node.operation->name(), ": wrote outside ", what, " (in ", node.scope, ")");
    }
  };
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const PlannedValue& value = plan_.values()[static_cast<size_t>(node.outputs[i])];
    if (value.offset >= 0) {
      check(value.offset, value.type.bytes(), "output " + std::to_string(i));
    }
  }
  if (node.kernel.workspace_bytes > 0) {
    check(node.workspace_offset, node.kernel.workspace_bytes, "its workspace");
  }
}

AnyView Executor::read(Value output) const {
  const auto& outputs = plan_.outputs();
  if (std::find(outputs.begin(), outputs.end(), output.id()) == outputs.end()) {
    fail("read: value ", output.id(), " is not an output of the plan");
  }
  return views_[static_cast<size_t>(output.id())];
}

}  // namespace fer
