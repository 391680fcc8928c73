#include "autograd/recomputation.h"

#include <algorithm>
#include <utility>

#include "autograd/program.h"
#include "tensor/memory.h"

namespace fer {

double price_of(const Cost& cost) {
  return static_cast<double>(cost.bytes) + static_cast<double>(cost.done_flops()) / 8;
}

Recomputation::Recomputation(std::vector<PlannedNode>& nodes, std::vector<ValueRecord>& values,
                             std::span<const int> outputs, std::function<void(PlannedNode&)> prepare)
    : nodes_(nodes), values_(values), outputs_(outputs), prepare_(std::move(prepare)), lifetimes_({}, {}, {}, false) {
  for (int i = 0; i < static_cast<int>(values_.size()); ++i) {
    originals_.push_back(i);
  }
  divide_updates();
}

// A part runs once its gradients are ready and nothing reads its parameters any more; the last stays where all were.
void Recomputation::divide_updates() {
  survey();
  std::vector<std::vector<PlannedNode>> after(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const std::vector<UpdatePart> parts = nodes_[i].operation->parts(types_of(nodes_[i].inputs, values_));
    for (size_t p = 0; p < parts.size(); ++p) {
      PlannedNode part = nodes_[i];
      part.operation = parts[p].operation;
      part.inputs.clear();
      int ready = 0;
      for (int input : parts[p].inputs) {
        const int value = nodes_[i].inputs[static_cast<size_t>(input)];
        part.inputs.push_back(value);
        ready = std::max(ready, producer(value));
        for (int use : uses_[static_cast<size_t>(lifetimes_.root(value))]) {
          if (use < static_cast<int>(i)) {
            ready = std::max(ready, use);
          }
        }
      }
      if (p + 1 == parts.size()) {
        prepare_(part);
        nodes_[i] = std::move(part);
        break;
      }
      part.outputs.clear();
      for (int output : nodes_[i].outputs) {
        values_.push_back(values_[static_cast<size_t>(output)]);
        part.outputs.push_back(static_cast<int>(values_.size()) - 1);
        originals_.push_back(part.outputs.back());
      }
      prepare_(part);
      after[static_cast<size_t>(ready)].push_back(std::move(part));
    }
  }
  std::vector<PlannedNode> ordered;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    ordered.push_back(std::move(nodes_[i]));
    std::ranges::move(after[i], std::back_inserter(ordered));
  }
  nodes_ = std::move(ordered);
}

void Recomputation::survey() {
  const int end = static_cast<int>(nodes_.size());
  lifetimes_ = Lifetimes(nodes_, values_, outputs_, false);
  producers_.assign(values_.size(), -1);
  uses_.assign(values_.size(), {});
  updated_.assign(values_.size(), end);
  for (int i = 0; i < end; ++i) {
    for (int output : node(i).outputs) {
      producers_[static_cast<size_t>(output)] = i;
    }
    for (int input : node(i).inputs) {
      std::vector<int>& uses = uses_[static_cast<size_t>(lifetimes_.root(input))];
      if (uses.empty() || uses.back() != i) {
        uses.push_back(i);
      }
    }
    for (int input : node(i).operation->mutates()) {
      int& updated = updated_[static_cast<size_t>(node(i).inputs[static_cast<size_t>(input)])];
      updated = std::min(updated, i);
    }
  }
  const Lifetimes shared(nodes_, values_, outputs_, true);
  // Bytes that begin to live at a node, and that have ceased to.
  std::vector<int64_t> born(nodes_.size() + 2, 0), gone(nodes_.size() + 2, 0);
  for (int value = 0; value < shared.value_count(); ++value) {
    if (shared.root(value) == value && shared.of(value).in_arena) {
      const Storage& storage = shared.of(value);
      const int64_t bytes = round_up(storage.bytes, memory_alignment);
      born[static_cast<size_t>(std::max(storage.first, 0))] += bytes;
      gone[static_cast<size_t>(std::min(storage.last, end)) + 1] += bytes;
    }
  }
  live_.assign(nodes_.size(), 0);
  waiting_.assign(nodes_.size(), 0);
  int64_t live = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    live -= gone[i];
    waiting_[i] = live;
    live += born[i];
    live_[i] = live + round_up(nodes_[i].kernel.workspace_bytes, memory_alignment);
  }
}

bool Recomputation::reduce_to(int64_t bytes, double budget) {
  const size_t most_nodes = 4 * nodes_.size();  // nobody wants more; and nothing goes on for ever
  while (true) {
    survey();
    const int peak = static_cast<int>(std::ranges::max_element(live_) - live_.begin());
    if (live_[static_cast<size_t>(peak)] <= bytes) {
      return true;
    }
    const Choice best = nodes_.size() < most_nodes ? best_choice(peak, budget - spent_) : Choice{};
    if (best.value < 0) {
      return false;
    }
    apply(best);
    spent_ += best.chain.price;
  }
}

Recomputation::Choice Recomputation::best_choice(int peak, double budget) const {
  Choice best;
  for (int value = 0; value < lifetimes_.value_count(); ++value) {
    const Storage& storage = lifetimes_.of(value);
    if (lifetimes_.root(value) == value && storage.in_arena &&
        values_[static_cast<size_t>(value)].kind == ValueKind::result && storage.first < peak && storage.last > peak &&
        storage.last < static_cast<int>(nodes_.size())) {
      Choice other = choice(value, peak);
      if (other.gain > best.gain && other.chain.price <= budget) {
        best = std::move(other);
      }
    }
  }
  return best;
}

// Nothing, when `peak` uses the value, or it cannot be made again at a lower peak.
Recomputation::Choice Recomputation::choice(int value, int peak) const {
  const std::vector<int>& uses = uses_[static_cast<size_t>(value)];
  const auto next = std::ranges::lower_bound(uses, peak);
  if (next == uses.end() || *next == peak) {
    return {};
  }
  const int before = next == uses.begin() ? producer(value) : *(next - 1);
  Choice result{value, *next, chain_for(value, *next), 0};
  const Chain& chain = result.chain;
  const int64_t bytes = lifetimes_.of(value).bytes;
  const int64_t meanwhile = waiting_[static_cast<size_t>(*next)] - bytes + chain.bytes + chain.workspace;
  if (chain.possible && meanwhile < live_[static_cast<size_t>(peak)]) {
    result.gain = static_cast<double>(bytes) * (*next - before) / (chain.price + 1);
  }
  return result;
}

Recomputation::Chain Recomputation::chain_for(int value, int until) const {
  Chain chain;
  const std::vector<int>& uses = uses_[static_cast<size_t>(value)];
  for (auto use = std::ranges::lower_bound(uses, until); use != uses.end(); ++use) {
    for (int input : node(*use).inputs) {
      if (lifetimes_.root(input) == value && producer(input) < until) {
        need(input, value, until, chain);
      }
    }
  }
  return chain;
}

// Whether `value` has been made before node `until` and is still there then.
bool Recomputation::lives(int value, int until) const {
  const int root = lifetimes_.root(value);
  switch (values_[static_cast<size_t>(root)].kind) {
    case ValueKind::variable:
      return updated_[static_cast<size_t>(root)] >= until && producer(value) < until;
    case ValueKind::result:
      return producer(value) < until && lifetimes_.of(value).last >= until;
    default:
      return producer(value) < until;
  }
}

// Adds to the chain what makes `value` before node `until`, unless it is there; `dropped` is not, and what it stands
// for neither.
void Recomputation::need(int value, int dropped, int until, Chain& chain) const {
  const auto made = [&](const Step& step) { return std::ranges::find(step.outputs, value) != step.outputs.end(); };
  if (!chain.possible || chain.stand_ins.contains(value) || std::ranges::any_of(chain.steps, made)) {
    return;
  }
  const int original = originals_[static_cast<size_t>(value)];
  const auto take = [&](int copy) {
    if (lifetimes_.root(copy) == dropped || !lives(copy, until)) {
      return false;
    }
    chain.stand_ins[value] = copy;
    return true;
  };
  if (take(value) || take(original)) {
    return;
  }
  if (const auto copies = copies_.find(original);
      copies != copies_.end() && std::ranges::any_of(copies->second, take)) {
    return;
  }
  const int maker = producer(value);
  if (maker < 0) {  // a variable that has been updated
    chain.possible = false;
    return;
  }
  const PlannedNode& again = node(maker);
  const auto output = std::ranges::find(again.outputs, value) - again.outputs.begin();
  const std::optional<Recipe> recipe = again.operation->recipe(static_cast<int>(output));
  if (!recipe) {
    chain.possible = false;
    return;
  }
  Step step{maker, *recipe, again.inputs, again.outputs};
  Cost cost = again.cost;
  if (recipe->operation) {
    step.outputs = {value};
    step.inputs.clear();
    for (int i : recipe->inputs) {
      step.inputs.push_back(i >= 0 ? again.inputs[static_cast<size_t>(i)] : again.outputs[static_cast<size_t>(~i)]);
    }
    cost = recipe->operation->cost(types_of(step.inputs, values_), types_of(step.outputs, values_));
  }
  for (int input : step.inputs) {
    need(input, dropped, until, chain);
  }
  if (!again.operation->is_view()) {
    chain.price += price_of(cost);
    chain.workspace = std::max(chain.workspace, round_up(again.kernel.workspace_bytes, memory_alignment));
    for (const ValueType& type : types_of(step.outputs, values_)) {
      chain.bytes += round_up(type.bytes(), memory_alignment);
    }
  }
  chain.steps.push_back(std::move(step));
}

void Recomputation::apply(const Choice& choice) {
  const PlannedNode& reader = node(choice.until);
  std::map<int, int> now = choice.chain.stand_ins;
  const auto renamed = [&](int value) { return now.contains(value) ? now.at(value) : value; };
  std::vector<PlannedNode> again;
  for (const Step& step : choice.chain.steps) {
    PlannedNode made = node(step.node);
    made.phase = reader.phase;
    made.inputs.clear();
    for (int input : step.inputs) {
      made.inputs.push_back(renamed(input));
    }
    made.outputs.clear();
    for (int output : step.outputs) {
      const int copy = static_cast<int>(values_.size());
      ValueRecord record = values_[static_cast<size_t>(output)];
      values_.push_back(std::move(record));
      const int original = originals_[static_cast<size_t>(output)];
      originals_.push_back(original);
      copies_[original].push_back(copy);
      now[output] = copy;
      made.outputs.push_back(copy);
    }
    if (step.recipe.operation) {
      made.operation = step.recipe.operation;
      prepare_(made);
    }
    again.push_back(std::move(made));
  }
  for (size_t i = static_cast<size_t>(choice.until); i < nodes_.size(); ++i) {
    for (int& input : nodes_[i].inputs) {
      if (lifetimes_.root(input) == choice.value) {
        input = renamed(input);
      }
    }
  }
  nodes_.insert(nodes_.begin() + choice.until, std::make_move_iterator(again.begin()),
                std::make_move_iterator(again.end()));
  drop_idle();
}

// Nodes that only made what is now made again.
void Recomputation::drop_idle() {
  std::vector<bool> needed(values_.size(), false);
  for (int output : outputs_) {
    needed[static_cast<size_t>(output)] = true;
  }
  std::vector<bool> idle(nodes_.size(), false);
  for (size_t i = nodes_.size(); i-- > 0;) {
    const PlannedNode& node = nodes_[i];
    idle[i] = node.operation->mutates().empty() &&
              std::ranges::none_of(node.outputs, [&](int output) { return needed[static_cast<size_t>(output)]; });
    if (!idle[i]) {
      for (int input : node.inputs) {
        needed[static_cast<size_t>(input)] = true;
      }
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!idle[i]) {
      if (kept != i) {
        nodes_[kept] = std::move(nodes_[i]);
      }
      ++kept;
    }
  }
  nodes_.resize(kept);
}

}  // namespace fer
