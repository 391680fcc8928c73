// Walks a plan. No allocation, no shape logic inside a run.
#pragma once

#include <memory>
#include <vector>

#include "autograd/plan.h"
#include "autograd/variables.h"
#include "tensor/device.h"

namespace fer {

class Executor {
 public:
  // Takes the variables of the plan from `variables` (making those that are missing) and room from `arena`, its own
  // when none is given. Executors that share an arena must not be used in turns between feed() and read().
  Executor(Plan plan, Device device, std::shared_ptr<Variables> variables, std::shared_ptr<Arena> arena = nullptr);

  // Copies the elements of an input into place. Throws unless type and shape agree.
  Executor& feed(Value input, AnyView elements);

  // Points a resident input at memory that stays where it is until the executor is gone.
  Executor& bind(Value resident, AnyView elements);

  // Runs every node once. `seconds`, when given, receives the time of each node (indexed like plan().nodes()).
  void run(const StepContext& step, std::vector<double>* seconds = nullptr);

  // An output of the plan, valid until the next run (or until another executor of the same arena runs).
  AnyView read(Value output) const;
  template <class T>
  T scalar(Value output) const {
    return *read(output).as<const T>().data;
  }

  const Plan& plan() const { return plan_; }
  int64_t arena_bytes() const { return arena_->bytes(); }

 private:
  void resolve();
  void check_guards(const PlannedNode& node) const;

  struct Call {
    std::vector<AnyView> inputs, outputs;
  };

  Plan plan_;
  Device device_;
  std::shared_ptr<Variables> variables_;
  std::shared_ptr<Arena> arena_;
  std::vector<Tensor> held_;                 // variables, by value id
  std::vector<AnyView> views_;               // every value, by id
  std::vector<Call> calls_;                  // one a node
  const std::byte* resolved_for_ = nullptr;  // the arena's address when views_ were made
};

}  // namespace fer
