// What /proc tells of a process, and the time.
#pragma once

#include <cstdint>
#include <string>

#include "sys/result.h"
#include "sys/status.h"

namespace lamina::sys {

struct Process {
  std::int32_t pid = 0;
  std::string command;  // proc(5), /proc/PID/comm: at most 15 bytes of any kind
};
// The process that a thread is one of, for a caller may be known by its thread's number, and threads have names of their own.
// ENOENT, ESRCH where it has ended.
Result<Process> process_of(std::int32_t thread);
// Whether the process has a capability in effect (/proc/PID/status, CapEff). ENOENT, ESRCH where it has ended.
Result<bool> has_capability(std::int32_t pid, unsigned capability);
// Keeps a capability out of effect for this thread alone while it lives. Does nothing where it was not in effect.
class WithoutCapability {
 public:
  explicit WithoutCapability(unsigned capability);
  WithoutCapability(const WithoutCapability&) = delete;
  WithoutCapability& operator=(const WithoutCapability&) = delete;
  ~WithoutCapability();
  // What kept it from being taken away; nothing may be done then that must not be done with it.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  unsigned capability_;
  bool taken_ = false;
  Status status_;
};
// The time of day (clock_gettime(2), CLOCK_REALTIME).
FileTime now();

}  // namespace lamina::sys
