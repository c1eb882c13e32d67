// Keeps a worker on the processor of the programs that it serves. A request wakes a worker and its answer wakes the caller: on
// one processor that is two switches, between two it is two interrupts, and often two sleeping processors to wake (measured: 11
// against 20 to 45 µs).
#pragma once

#include <array>
#include <cstdint>

#include "sys/processors.h"

namespace lamina::server {

// Of one worker, and used by its thread alone.
class Locality {
 public:
  // Asks where a caller runs, which costs microseconds; for tests.
  using Lookup = sys::Result<unsigned> (*)(std::int32_t);
  explicit Locality(Lookup lookup = &sys::processor_of);

  // A request of this thread of some program is being served. Moves the worker where its callers have been for a while; lets it
  // go anywhere when they come from several processors.
  void serving(std::int32_t caller);

  // Where the worker stays; none: anywhere.
  [[nodiscard]] int processor() const { return pinned_; }

 private:
  // Callers run where they ran: each is asked about once in so many requests.
  static constexpr unsigned uses_of_an_answer = 32;
  static constexpr int settled = 16, certain = 32, stray_weight = 4;

  struct Known {
    std::int32_t caller = 0;
    unsigned processor = 0;
    unsigned uses = 0;
  };
  [[nodiscard]] int where(std::int32_t caller);
  void stay(int processor);
  void roam();

  Lookup lookup_;
  cpu_set_t allowed_ = {};
  bool enabled_ = false;
  std::array<Known, 64> known_ = {};
  int candidate_ = -1, streak_ = 0, pinned_ = -1;
};

}  // namespace lamina::server
