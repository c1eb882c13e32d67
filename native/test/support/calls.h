// Counting the system calls of the code under test.
#pragma once

#include <atomic>
#include <string_view>

#include "sys/step.h"

namespace lamina::test {

template <typename Work>
unsigned calls_of(Work work) {
  static std::atomic<unsigned> calls{0};
  calls = 0;
  sys::on_step = [](const char* what) { calls += std::string_view(what) == "before a call" ? 1 : 0; };
  work();
  sys::on_step = nullptr;
  return calls;
}

}  // namespace lamina::test
