// Recorded runs that do the same: they take turns until it is known which is the fastest.
#pragma once

#include <memory>
#include <vector>

#include "tensor/accelerator.h"

namespace fer {

class FasterRun {
 public:
  FasterRun(const std::shared_ptr<Accelerator>& accelerator, std::vector<std::unique_ptr<CapturedRun>> runs);

  // The first replays are each timed by the device, some of each run; after them the others are freed.
  void replay();
  int64_t size() const { return runs_[chosen_]->size(); }
  // Which it is; the first as long as that is not known.
  size_t chosen() const { return chosen_; }

 private:
  void choose();

  std::vector<std::unique_ptr<CapturedRun>> runs_;
  struct Turn {
    std::unique_ptr<Event> start, end;
  };
  std::vector<Turn> turns_;  // those to come and those done, until the choice is made
  size_t done_ = 0;          // of turns_
  size_t chosen_ = 0;
};

}  // namespace fer
