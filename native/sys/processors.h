// Which processor a thread runs on, and where our own may.
#pragma once

#include <sched.h>

#include <cstdint>

#include "sys/result.h"

namespace lamina::sys {

// The processor that a thread of any process ran on last (proc(5), /proc/PID/stat, field 39). ENOENT, ESRCH where it has ended,
// or is in a foreign pid namespace.
Result<unsigned> processor_of(std::int32_t thread);

// Where the calling thread may run (sched_getaffinity(2)).
Result<cpu_set_t> allowed_processors();
Status allow_processors(const cpu_set_t& set);
// Only there (sched_setaffinity(2)); EINVAL for a processor that the thread may not use.
Status stay_on(unsigned processor);

}  // namespace lamina::sys
