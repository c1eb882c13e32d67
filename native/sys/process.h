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
// The time of day (clock_gettime(2), CLOCK_REALTIME).
FileTime now();

}  // namespace lamina::sys
