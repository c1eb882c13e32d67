// Calls again while a signal interrupts; for the .cc files of this directory.
#pragma once

#include "sys/result.h"
#include "sys/step.h"

namespace lamina::sys {

template <typename Call>
auto retry(Call call) {
  step("before a call");
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  step("after a call");
  return result;
}

template <typename Call>
Status status_from(Call call) {
  if (retry(call) == -1) return last_error();
  return {};
}

}  // namespace lamina::sys
