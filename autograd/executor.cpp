#include "autograd/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <sstream>

#include "autograd/lifetimes.h"
#include "tensor/cores.h"

namespace fer {

namespace {

constexpr int poison = 0xFF;  // as floats: NaN

// Of results that are worth giving up the lines of before they are written; larger ones are in no cache by then.
constexpr int64_t least_given_up = 1 << 16, most_given_up = 1 << 25;

bool overlap(const AnyView& a, const AnyView& b) {
  const auto* const a_first = static_cast<const std::byte*>(a.data);
  const auto* const b_first = static_cast<const std::byte*>(b.data);
  return a_first < b_first + b.bytes() && b_first < a_first + a.bytes();
}

}  // namespace

Executor::Executor(Plan plan, Device device, std::shared_ptr<Variables> variables, std::shared_ptr<Arena> arena,
                   int64_t first_byte, std::shared_ptr<Arena> kept)
    : plan_(std::move(plan)),
      device_(device),
      accelerator_(accelerator_for(device)),
      variables_(std::move(variables)),
      arena_(arena ? std::move(arena) : std::make_shared<Arena>(accelerator_)),
      first_byte_(first_byte),
      kept_(kept ? std::move(kept) : std::make_shared<Arena>(accelerator_)) {
  views_.resize(plan_.values().size());
  held_.resize(plan_.values().size());
  for (size_t i = 0; i < views_.size(); ++i) {
    views_[i] = {nullptr, plan_.values()[i].type.dtype, plan_.values()[i].type.shape};
  }
  if (device_ == Device::null) {
    return;
  }
  if (plan_.device() != device_ || arena_->accelerator() != accelerator_) {
    fail("executor: runs on device ", device_, ", but ",
         plan_.device() != device_ ? "its plan was made for another: see planned_for" : "its arena is elsewhere");
  }
  if (accelerator_) {
    check_device_memory();
    step_ = allocate_on(accelerator_, sizeof(StepContext), Reach::device);
    variables_->move_to(accelerator_);
  }
  reserve();
  kept_->reserve(plan_.kept_bytes());
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
  waits_ = waits_between_queues(plan_);
  for (const Wait& wait : waits_) {
    events_[wait.on] = accelerator_->make_event();
  }
  resolve();
  if (plan_.guarded() && accelerator_) {
    accelerator_->fill(memory(), static_cast<std::byte>(poison), plan_.peak_bytes());
  } else if (plan_.guarded()) {
    std::memset(memory(), poison, static_cast<size_t>(plan_.peak_bytes()));
  }
}

void Executor::check_device_memory() const {
  const bool moved = variables_->accelerator() == accelerator_;
  std::vector<bool> used(plan_.values().size(), false);
  int64_t variables = 0, others = sizeof(StepContext);
  for (const PlannedNode& node : plan_.nodes()) {
    others += node.kernel.table_bytes;
    for (int input : node.inputs) {
      used[static_cast<size_t>(input)] = true;
    }
  }
  const int64_t values = std::max<int64_t>(0, first_byte_ + plan_.peak_bytes() - arena_->bytes());
  for (size_t i = 0; i < used.size(); ++i) {
    const PlannedValue& value = plan_.values()[i];
    if (used[i] && value.kind == ValueKind::resident) {
      others += value.type.bytes();
    } else if (used[i] && value.kind == ValueKind::variable && !(moved && variables_->contains(value.name))) {
      variables += value.type.bytes();
    }
  }
  const int64_t needed = values + variables + others, free = accelerator_->free_bytes();
  if (needed > free) {
    std::ostringstream text;
    text << "device cuda: " << needed << " bytes are needed (" << values << " for values, " << variables
         << " for weights and moments, " << others << " for data and tables), " << free << " are free on "
         << accelerator_->name();
    throw OutOfDeviceMemory(text.str(), free - variables - others + arena_->bytes());
  }
}

void Executor::resolve() {
  for (size_t i = 0; i < views_.size(); ++i) {
    const PlannedValue& value = plan_.values()[i];
    if (value.offset >= 0) {
      views_[i].data = memory() + value.offset;
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
    calls_[i].given_up.clear();
    for (int input : node.inputs) {
      calls_[i].inputs.push_back(views_[static_cast<size_t>(input)]);
    }
    for (int output : node.outputs) {
      const AnyView& view = views_[static_cast<size_t>(output)];
      calls_[i].outputs.push_back(view);
      const bool in_place = std::any_of(calls_[i].inputs.begin(), calls_[i].inputs.end(),
                                        [&](const AnyView& input) { return overlap(input, view); });
      if (plan_.values()[static_cast<size_t>(output)].offset >= 0 && !in_place && view.bytes() >= least_given_up &&
          view.bytes() <= most_given_up) {
        calls_[i].given_up.push_back(view);
      }
    }
    if (node.kernel.kept_bytes > 0) {
      calls_[i].inputs.push_back({kept_->data() + node.kept_offset, DType::u8, {node.kernel.kept_bytes}});
    }
    if (node.kernel.table_bytes > 0) {
      make_table(node, i);
    }
  }
  resolved_for_ = arena_->data();
  captured_.reset();
  warm_ = false;
}

void Executor::make_table(const PlannedNode& node, size_t number) {
  Call& call = calls_[number];
  std::vector<std::byte> table(static_cast<size_t>(node.kernel.table_bytes));
  node.kernel.write_table(call.inputs, call.outputs, table.data());
  DeviceMemory& memory = tables_[number];
  if (!memory) {
    memory = allocate_on(accelerator_, node.kernel.table_bytes, Reach::device);
  }
  accelerator_->copy_in(memory.get(), table.data(), node.kernel.table_bytes);
  call.inputs.push_back({memory.get(), DType::u8, {node.kernel.table_bytes}});
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
  reserve();
  if (accelerator_) {
    accelerator_->copy_in(memory() + value.offset, elements.data, elements.bytes());
  } else {
    std::memcpy(memory() + value.offset, elements.data, static_cast<size_t>(elements.bytes()));
  }
  return *this;
}

Executor& Executor::bind(Value resident, AnyView elements) {
  given(plan_, "bind", resident, ValueKind::resident, elements);
  void* data = elements.data;
  if (accelerator_) {
    DeviceMemory& memory = residents_[resident.id()];
    if (!memory) {
      memory = allocate_on(accelerator_, elements.bytes(), Reach::device);
    }
    accelerator_->copy_in(memory.get(), elements.data, elements.bytes());
    data = memory.get();
  }
  AnyView& view = views_[static_cast<size_t>(resident.id())];
  if (view.data != data) {
    view.data = data;
    resolved_for_ = nullptr;
  }
  return *this;
}

void Executor::keep_weights() {
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (const Kernel& kernel = plan_.nodes()[i].kernel; kernel.kept_bytes > 0) {
      kernel.keep(calls_[i].inputs, kept_->data() + plan_.nodes()[i].kept_offset);
    }
  }
}

void Executor::run(const StepContext& step, std::vector<double>* seconds) {
  if (device_ == Device::null) {
    return;
  }
  if (resolved_for_ != arena_->data()) {
    resolve();
  }
  if (!accelerator_) {
    run_nodes(&step, seconds);
    return;
  }
  accelerator_->copy_in(step_.get(), &step, sizeof step);
  const auto* on_device = reinterpret_cast<const StepContext*>(step_.get());
  if (seconds != nullptr || plan_.guarded()) {
    run_nodes(on_device, seconds);
    return;
  }
  if (!warm_) {  // a first run may still set things up, for each queue
    run_nodes(on_device, nullptr, !waits_.empty());
    warm_ = true;
    return;
  }
  if (!captured_) {
    std::vector<std::unique_ptr<CapturedRun>> runs;
    runs.push_back(accelerator_->capture([&] { run_nodes(on_device, nullptr); }));
    if (!waits_.empty()) {
      runs.push_back(accelerator_->capture([&] { run_nodes(on_device, nullptr, true); }));
    }
    captured_ = std::make_unique<FasterRun>(accelerator_, std::move(runs));
  }
  captured_->replay();
}

void Executor::run_nodes(const StepContext* step, std::vector<double>* seconds, bool on_two_queues) {
  if (seconds != nullptr) {
    seconds->assign(calls_.size(), 0.0);
  }
  using Clock = std::chrono::steady_clock;
  const auto now = [&] {
    if (seconds != nullptr && accelerator_) {
      accelerator_->synchronize();
    }
    return seconds != nullptr ? Clock::now() : Clock::time_point();
  };
  auto wait = on_two_queues ? waits_.begin() : waits_.end();
  const auto hold = [&](size_t at, Queue queue) {
    for (; wait != waits_.end() && wait->node == static_cast<int>(at); ++wait) {
      events_.at(wait->on)->hold(queue);
    }
  };
  const auto mark = [&](int at, Queue queue) {
    if (const auto event = events_.find(at); on_two_queues && event != events_.end()) {
      event->second->mark(queue);
    }
  };
  mark(before_first_node, Queue::first);
  const bool far = device_ == Device::cpu && !plan_.guarded() && cores_are_far();
  for (size_t i = 0; i < calls_.size(); ++i) {
    const PlannedNode& node = plan_.nodes()[i];
    if (!node.kernel.run) {
      continue;
    }
    const Queue queue = on_two_queues && node.run_beside ? Queue::second : Queue::first;
    const auto& run = queue == Queue::second ? node.run_beside : node.kernel.run;
    hold(i, queue);
    const auto start = now();
    if (far) {
      for (const AnyView& view : calls_[i].given_up) {
        give_up_lines(view.data, view.bytes());
      }
    }
    run(step, calls_[i].inputs, calls_[i].outputs, memory() + node.workspace_offset);
    mark(static_cast<int>(i), queue);
    if (seconds != nullptr) {
      (*seconds)[i] = std::chrono::duration<double>(now() - start).count();
    }
    if (plan_.guarded()) {
      check_guards(node);
    }
  }
  hold(calls_.size(), Queue::first);
}

bool Executor::is_poison(int64_t begin, int64_t end) const {
  std::vector<std::byte> copy;
  const std::byte* from = memory() + begin;
  if (accelerator_) {
    copy.resize(static_cast<size_t>(end - begin));
    accelerator_->copy_out(copy.data(), from, end - begin);
    from = copy.data();
  }
  return std::all_of(from, from + (end - begin), [](std::byte b) { return b == static_cast<std::byte>(poison); });
}

void Executor::check_guards(const PlannedNode& node) const {
  const auto check = [&](int64_t offset, int64_t bytes, const std::string& what) {
    if (!is_poison(offset - guard_bytes, offset) ||
        !is_poison(offset + bytes, offset + round_up(bytes, memory_alignment) + guard_bytes)) {
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

const AnyView& Executor::output_view(Value output) const {
  const auto& outputs = plan_.outputs();
  if (std::find(outputs.begin(), outputs.end(), output.id()) == outputs.end()) {
    fail("read: value ", output.id(), " is not an output of the plan");
  }
  return views_[static_cast<size_t>(output.id())];
}

void Executor::copy_later(Value output, void* shared) const {
  const AnyView& view = output_view(output);
  accelerator_->copy(shared, view.data, view.bytes());
}

AnyView Executor::read(Value output) const {
  const AnyView& view = output_view(output);
  if (!accelerator_) {
    return view;
  }
  Tensor& copy = downloads_[output.id()];
  if (copy.empty()) {
    copy = Tensor(view.dtype, view.shape);
  }
  accelerator_->copy_out(copy.view().data, view.data, view.bytes());
  return copy.view();
}

}  // namespace fer
