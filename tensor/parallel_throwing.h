// Loops over the cores whose bodies may throw.
#pragma once

#include <exception>
#include <vector>

#include "tensor/parallel.h"

namespace fer {

// body(i) for i in 0 … count - 1 on all cores. An exception ends its piece of the loop; once all pieces have ended,
// that of the lowest piece is thrown, so that the first fault of a file is the one reported.
template <class Body>
void parallel_throwing(int64_t count, int64_t grain, Body&& body) {
  std::vector<std::exception_ptr> errors(static_cast<size_t>(thread_count()));
  parallel_parts(count, grain, [&](int64_t begin, int64_t end, int part) {
    try {
      for (int64_t i = begin; i < end; ++i) {
        body(i);
      }
    } catch (...) {
      errors[static_cast<size_t>(part)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
}

}  // namespace fer
