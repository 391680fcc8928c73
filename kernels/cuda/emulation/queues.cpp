// Which launches run when: at once, when somebody waits for them, or whenever a recording is replayed.
#include <deque>
#include <utility>

#include "kernels/cuda/emulation/emulator.h"

namespace fer::emulation {

namespace {

struct Tarrying {
  std::optional<const void*> handle;
  std::deque<Action> launches;
  int64_t done = 0;
};

Tarrying& tarrying() {
  static Tarrying queue;
  return queue;
}

Recording*& kept() {
  static Recording* recording = nullptr;
  return recording;
}

}  // namespace

void launch_on(const void* queue, Action launch) {
  if (kept() != nullptr) {
    kept()->actions.emplace_back([queue, launch = std::move(launch)] { launch_on(queue, launch); });
    ++kept()->launches;
  } else if (tarrying().handle == queue) {
    tarrying().launches.push_back(std::move(launch));
  } else {
    launch();
  }
}

void set_tarrying(std::optional<const void*> queue) {
  if (tarrying().handle) {
    wait_for(*tarrying().handle);
  }
  tarrying() = {queue, {}, 0};
}

int64_t given_to(const void* queue) {
  return tarrying().handle == queue ? tarrying().done + static_cast<int64_t>(tarrying().launches.size()) : 0;
}

void wait_for(const void* queue, int64_t given) {
  while (tarrying().handle == queue && tarrying().done < given && !tarrying().launches.empty()) {
    const Action launch = std::move(tarrying().launches.front());
    tarrying().launches.pop_front();
    ++tarrying().done;
    launch();
  }
}

Recording record(const std::function<void()>& work) {
  Recording recording;
  kept() = &recording;
  try {
    work();
  } catch (...) {
    kept() = nullptr;
    throw;
  }
  kept() = nullptr;
  return recording;
}

void act(Action action) {
  if (kept() != nullptr) {
    kept()->actions.push_back(std::move(action));
  } else {
    action();
  }
}

}  // namespace fer::emulation
