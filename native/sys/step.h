// Moments at which a process may be stopped by a test: before and after every call that changes something, and where it
// writes to memory that outlives it.
#pragma once

#include <atomic>

namespace lamina::sys {

using OnStep = void (*)(const char* what);
inline std::atomic<OnStep> on_step{nullptr};

inline void step(const char* what) {
  if (const OnStep observer = on_step.load(std::memory_order_relaxed)) observer(what);
}

}  // namespace lamina::sys
