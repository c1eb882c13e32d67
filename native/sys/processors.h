// The machine's processors, by their numbers.
#pragma once

#include <vector>

#include "sys/result.h"

namespace lamina::sys {

// How many there could ever be: one more than the highest number (/sys/devices/system/cpu/possible). ENOENT without sysfs.
Result<unsigned> possible_processors();
// Those on which this process may run (sched_getaffinity(2)).
std::vector<unsigned> usable_processors();
// Keeps the calling thread on one processor, where it may run there; else it runs wherever it may.
void prefer_processor(unsigned processor);

}  // namespace lamina::sys
