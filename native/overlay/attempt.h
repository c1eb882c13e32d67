// What an operation records for its repetition: a worker may die in the middle of it, and the kernel then sends the
// same request to the next one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "sys/step.h"

namespace lamina::overlay {

// Lies in memory that outlives the worker. While an operation on names is not answered, the kernel lets no other one
// change its directories: what is found there is the work of this operation.
class Attempt {
 public:
  // Compared with the tree to see how far an attempt got: numbers of files and keys, by operation.
  using Evidence = std::array<std::uint64_t, 4>;

  // True where an earlier attempt had passed all its checks and may have changed something.
  [[nodiscard]] bool begun() const { return begun_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] const Evidence& evidence() const { return evidence_; }
  // All checks have passed: the next call changes the tree.
  void begin(const Evidence& evidence = {}) {
    evidence_ = evidence;
    begun_.store(1, std::memory_order_release);
    sys::step("attempt");
  }
  void clear() { begun_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> begun_{0};
  Evidence evidence_{};
};

}  // namespace lamina::overlay
