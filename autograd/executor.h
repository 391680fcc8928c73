// Walks a plan. No allocation, no shape logic inside a run.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "autograd/faster_run.h"
#include "autograd/plan.h"
#include "autograd/queues.h"
#include "autograd/variables.h"
#include "tensor/accelerator.h"
#include "tensor/device.h"

namespace fer {

// A plan does not fit into what the device has free.
class OutOfDeviceMemory : public Error {
 public:
  OutOfDeviceMemory(const std::string& what, int64_t room) : Error(what), room(room) {}
  int64_t room;  // bytes that the plan's values could have, beside its variables and residents
};

class Executor {
 public:
  // Takes the variables of the plan from `variables` (making those that are missing, and moving all of them to where
  // `device` reaches them) and room from `arena`, its own when none is given, from byte `first_byte` on. Executors that
  // share bytes of an arena must not be used in turns between feed() and read(). What kernels make of weights that stay
  // goes into `kept`, which executors of equal plans may share. Throws OutOfDeviceMemory before anything is allocated.
  Executor(Plan plan, Device device, std::shared_ptr<Variables> variables, std::shared_ptr<Arena> arena = nullptr,
           int64_t first_byte = 0, std::shared_ptr<Arena> kept = nullptr);

  // Copies the elements of an input into place. Throws unless type and shape agree.
  Executor& feed(Value input, AnyView elements);

  // Points a resident input at memory that stays where it is until the executor is gone. On cuda it is copied to the
  // device, now; who changes the elements binds them again.
  Executor& bind(Value resident, AnyView elements);

  // Has kernels make what they keep of the weights: before the first run of a plan of weights that stay.
  void keep_weights();

  // Runs every node once. `seconds`, when given, receives the time of each node (indexed like plan().nodes()). On cuda
  // the nodes are queued; the second run is recorded as one graph, which later ones replay, unless `seconds` are asked
  // for or the plan is guarded. Where weight gradients may run beside other nodes, it is recorded both ways, and the
  // next runs find out which is faster.
  void run(const StepContext& step, std::vector<double>* seconds = nullptr);

  // An output of the plan, in the host's memory and valid until the next run (or until another executor of the same
  // arena runs).
  AnyView read(Value output) const;
  template <class T>
  T scalar(Value output) const {
    return *read(output).as<const T>().data;
  }

  // Queues, on cuda, a copy of an output to memory that the host and the device share. It is there after a read().
  void copy_later(Value output, void* shared) const;

  // How many kernels, copies and fills the recorded run has; 0 when none was recorded.
  int64_t recorded_launches() const { return captured_ ? captured_->size() : 0; }
  // On how many queues it runs: 2 once that was found to be faster.
  int queues() const { return captured_ && captured_->chosen() > 0 ? 2 : 1; }

  const Plan& plan() const { return plan_; }
  int64_t arena_bytes() const { return arena_->bytes(); }

 private:
  // Of its own part of the arena.
  void reserve() { arena_->reserve(first_byte_ + plan_.peak_bytes()); }
  std::byte* memory() const { return arena_->data() + first_byte_; }
  void check_device_memory() const;
  void resolve();
  void make_table(const PlannedNode& node, size_t number);
  void run_nodes(const StepContext* step, std::vector<double>* seconds, bool on_two_queues = false);
  void check_guards(const PlannedNode& node) const;
  const AnyView& output_view(Value output) const;
  bool is_poison(int64_t begin, int64_t end) const;

  struct Call {
    std::vector<AnyView> inputs, outputs;
    std::vector<AnyView> given_up;  // outputs that lie on no input: see give_up_lines()
  };
  using DeviceMemory = std::shared_ptr<std::byte>;

  Plan plan_;
  Device device_;
  std::shared_ptr<Accelerator> accelerator_;  // of device cuda, else null
  std::shared_ptr<Variables> variables_;
  std::shared_ptr<Arena> arena_;
  int64_t first_byte_;
  std::shared_ptr<Arena> kept_;
  std::vector<Tensor> held_;                 // variables, by value id
  std::vector<AnyView> views_;               // every value, by id
  std::vector<Call> calls_;                  // one a node
  const std::byte* resolved_for_ = nullptr;  // the arena's address when views_ were made

  // Of device cuda.
  DeviceMemory step_;                             // a StepContext
  std::map<int, DeviceMemory> residents_;         // by value id
  std::map<size_t, DeviceMemory> tables_;         // by node
  mutable std::map<int, Tensor> downloads_;       // outputs that were read, by value id
  std::vector<Wait> waits_;                       // of two queues
  std::map<int, std::unique_ptr<Event>> events_;  // by node that is waited for
  std::unique_ptr<FasterRun> captured_;
  bool warm_ = false;  // has run since views_ were made, as it will be recorded
};

}  // namespace fer
