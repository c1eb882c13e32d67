// What /proc tells of a process, and the time.
#pragma once

#include <cstdint>
#include <string>

#include "sys/result.h"
#include "sys/status.h"

namespace lamina::sys {

// The command name of a process (proc(5), /proc/PID/comm): at most 15 bytes of any kind. ENOENT, ESRCH where it has ended.
Result<std::string> command_name(std::int32_t pid);
// Whether the process has a capability in effect (/proc/PID/status, CapEff). ENOENT, ESRCH where it has ended.
Result<bool> has_capability(std::int32_t pid, unsigned capability);
// The time of day (clock_gettime(2), CLOCK_REALTIME).
FileTime now();

}  // namespace lamina::sys
